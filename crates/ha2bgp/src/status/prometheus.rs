//! Metrics as node_exporter's text file collector reads them: Prometheus' text format 0.0.4, which
//! differs from OpenMetrics in a few lines.

use std::fmt::Write as _;

/// From OpenMetrics: a counter has the name of its samples, and types that Prometheus does not know
/// are those that come nearest.
pub fn from_openmetrics(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        let comment =
            line.strip_prefix("# ").map(|rest| rest.split_once(' ').unwrap_or((rest, "")));
        match comment {
            // Its name depends on the type, which is told next.
            Some(("HELP", rest)) => help = rest.split_once(' '),
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "gauge" | "stateset" => ("", "gauge"),
                    "histogram" => ("", "histogram"),
                    "summary" => ("", "summary"),
                    _ => ("", "untyped"),
                };
                // Writing into a string cannot fail.
                if let Some((_, help)) = help.take().filter(|(helped, _)| *helped == name) {
                    let _ = writeln!(out, "# HELP {name}{suffix} {}", help.replace("\\\"", "\""));
                }
                let _ = writeln!(out, "# TYPE {name}{suffix} {kind}");
            }
            // `# UNIT`, `# EOF`.
            Some(_) => {}
            None => {
                out.push_str(without_exemplar(line));
                out.push('\n');
            }
        }
    }
    out
}

/// A sample without what OpenMetrics may have behind it: ` # {trace_id="x"} 1`.
fn without_exemplar(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted => return line.get(..at).unwrap_or(line).trim_end(),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ() {
        let open = "\
# HELP ha2bgp_results Results of \\\"probes\\\".
# TYPE ha2bgp_results counter
ha2bgp_results_total{check=\"a # \\\" b\"} 3 # {trace=\"x\"} 1
# HELP ha2bgp_time_seconds Time.
# TYPE ha2bgp_time_seconds histogram
# UNIT ha2bgp_time_seconds seconds
ha2bgp_time_seconds_bucket{le=\"+Inf\"} 1
# TYPE ha2bgp_build info
ha2bgp_build_info{version=\"1\"} 1
# TYPE ha2bgp_x unknown
ha2bgp_x 1.5
# EOF
";
        let want = "\
# HELP ha2bgp_results_total Results of \"probes\".
# TYPE ha2bgp_results_total counter
ha2bgp_results_total{check=\"a # \\\" b\"} 3
# HELP ha2bgp_time_seconds Time.
# TYPE ha2bgp_time_seconds histogram
ha2bgp_time_seconds_bucket{le=\"+Inf\"} 1
# TYPE ha2bgp_build_info gauge
ha2bgp_build_info{version=\"1\"} 1
# TYPE ha2bgp_x untyped
ha2bgp_x 1.5
";
        assert_eq!(from_openmetrics(open), want);
    }
}
