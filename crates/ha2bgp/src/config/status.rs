//! The status as files: `control.status-file`, `control.status-pipe`, `control.node-exporter-file`.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::raw::Raw;
use super::reader::Reader;
use crate::status::StatusSettings;

/// Reads the keys. Everything that is wrong is told.
pub(super) fn read(reader: &mut Reader, raw: &Raw) -> StatusSettings {
    let values = &raw.values;
    let settings = StatusSettings {
        file: reader.one(values, "control.status-file", path),
        pipe: reader.one(values, "control.status-pipe", path),
        node_exporter: reader.one(values, "control.node-exporter-file", exported),
    };
    let paths = [&settings.file, &settings.pipe, &settings.node_exporter];
    let twice = |(at, path): (usize, &&Option<PathBuf>)| {
        path.is_some() && paths.iter().take(at).any(|other| other == path)
    };
    if paths.iter().enumerate().any(twice) {
        let names = ["control.status-file", "control.status-pipe", "control.node-exporter-file"];
        if let Some(at) = names.iter().rev().find_map(|name| values.one(name)) {
            let error = format!("\"{}\" is another one's path too: give each its own", at.text);
            reader.errors.push(ConfigError::new(at, error));
        }
    }
    settings
}

fn path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if !path.is_absolute() || path.file_name().is_none() || text.ends_with('/') {
        return Err(format!(
            "\"{text}\" is no absolute path of a file: write for example /run/ha2bgp/status.txt"
        ));
    }
    Ok(path.to_owned())
}

/// node_exporter reads files with this end only.
fn exported(text: &str) -> Result<PathBuf, String> {
    if !text.ends_with(".prom") {
        return Err(format!(
            "\"{text}\" does not end with .prom, and node_exporter reads no other files: write for \
             example /var/lib/prometheus/node-exporter/ha2bgp.prom"
        ));
    }
    path(text)
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::read_with;
    use super::*;

    fn status(text: &str) -> Result<StatusSettings, String> {
        let text = format!("[control]\n{text}");
        read_with(&["--config", "a.toml"], &[], &[("a.toml", text.as_str())])
            .map(|settings| settings.status)
    }

    #[test]
    fn files_of_the_status() {
        assert_eq!(status(""), Ok(StatusSettings::default()));
        let text = "status-file = \"/run/a\"\nstatus-pipe = \"/run/b\"\n\
                    node-exporter-file = \"/run/c.prom\"";
        let want = StatusSettings {
            file: Some("/run/a".into()),
            pipe: Some("/run/b".into()),
            node_exporter: Some("/run/c.prom".into()),
        };
        assert_eq!(status(text), Ok(want));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, want) in [
            ("status-file = \"/run/a/\"", "2:15: control.status-file: "),
            ("status-pipe = \"/\"", "is no absolute path of a file"),
            ("node-exporter-file = \"/run/a\"", "does not end with .prom"),
            ("status-file = \"/run/a\"\nstatus-pipe = \"/run/a\"", "give each its own"),
            ("status-fiel = \"/run/a\"", "did you mean status-file?"),
        ] {
            let error = status(text).unwrap_err();
            assert!(error.contains(want), "{text}\n{error}");
        }
    }
}
