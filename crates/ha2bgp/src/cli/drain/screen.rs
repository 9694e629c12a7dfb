//! What is said of a drain: pure texts, at most 80 columns for names of a usual length.

use super::Target;
use crate::control::orders::{DrainPlan, OverrideShown};

fn plan(shown: &OverrideShown) -> DrainPlan {
    shown.drain.unwrap_or(DrainPlan { wait_connections: None, timeout_seconds: None })
}

fn phase(shown: &OverrideShown) -> &str {
    shown.phase.as_deref().unwrap_or_default()
}

fn connections(count: Option<u32>) -> String {
    match count {
        Some(1) => "1 connection".to_owned(),
        Some(count) => format!("{count} connections"),
        None => "connections not counted".to_owned(),
    }
}

fn undrain(shown: &OverrideShown) -> String {
    format!("ha2bgp undrain {}", Target::argument(&shown.scope))
}

/// True when there is nothing more to wait for.
pub(super) fn is_over(shown: &OverrideShown) -> bool {
    let DrainPlan { wait_connections, timeout_seconds } = plan(shown);
    let ends = wait_connections.is_some() || timeout_seconds.is_some();
    phase(shown) == "drained" || (!ends && phase(shown) == "waiting")
}

/// True when it ended as was wished: few enough connections are left.
pub(super) fn is_good(shown: &OverrideShown) -> bool {
    match plan(shown).wait_connections {
        Some(most) => shown.connections_left.is_some_and(|left| left <= most),
        None => true,
    }
}

/// It was begun, and nobody waits.
pub(super) fn begun(shown: &OverrideShown) -> String {
    format!("{}: the drain is on its way as number {}", shown.scope, shown.id)
}

/// How far it is.
pub(super) fn progress(shown: &OverrideShown) -> String {
    let now = connections(shown.connections);
    let text = match phase(shown) {
        "waiting" => match plan(shown).wait_connections {
            Some(0) => format!("waiting for the end of {now}"),
            Some(most) => format!("{now}, waiting for {most} or fewer"),
            None => format!("{now}, waiting for the end of the time"),
        },
        _ => format!("routers move the traffic, {now}"),
    };
    format!("{}: {text}", shown.scope)
}

/// How it ended.
pub(super) fn end(shown: &OverrideShown) -> String {
    let (scope, back) = (&shown.scope, undrain(shown));
    if phase(shown) != "drained" {
        let now = connections(shown.connections);
        return format!("{scope}: announced as the last choice, {now} ({back})");
    }
    let left = match shown.connections_left {
        Some(0) => "no connection left".to_owned(),
        Some(_) => format!("{} left", connections(shown.connections_left)),
        None => connections(None),
    };
    let how = if is_good(shown) { "drained" } else { "time over, withdrawn" };
    format!("{scope}: {how}, {left} ({back})")
}

/// The user does not wait any longer.
pub(super) fn interrupted(shown: &OverrideShown) -> String {
    let (scope, id, back) = (&shown.scope, shown.id, undrain(shown));
    format!("{scope}: the drain goes on as number {id}; take it back with: {back}")
}

/// Somebody has taken it back.
pub(super) fn gone(shown: &OverrideShown) -> String {
    let (scope, id) = (&shown.scope, shown.id);
    format!("{scope}: the drain {id} is not there any more: it was taken back, or its time is over")
}

/// Nobody can say how far it is.
pub(super) fn unknown(shown: &OverrideShown) -> String {
    let kept = if shown.saved { "goes on when ha2bgp runs again" } else { "was not kept" };
    format!("{}: how far the drain is, is not known; it {kept}", shown.scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(phase: &str, wait: Option<u32>, timeout: Option<u64>) -> OverrideShown {
        OverrideShown {
            id: 7,
            kind: if phase == "drained" { "drained" } else { "drain" }.to_owned(),
            scope: "service web".to_owned(),
            reason: "kernel".to_owned(),
            author: "anna (uid 0)".to_owned(),
            since: "2026-11-26T15:00:00Z".to_owned(),
            until: None,
            left_seconds: None,
            drain: Some(DrainPlan { wait_connections: wait, timeout_seconds: timeout }),
            phase: Some(phase.to_owned()),
            connections: None,
            connections_left: None,
            saved: true,
            vips: Vec::new(),
        }
    }

    #[test]
    fn each_moment_has_its_words() {
        let mut text = Vec::new();
        let mut note = |shown: &OverrideShown| {
            let over = is_over(shown);
            let line = if over { end(shown) } else { progress(shown) };
            let good =
                if over { format!(" [{}]", u8::from(!is_good(shown))) } else { String::new() };
            text.push(line + &good);
        };
        for wait in [Some(0), Some(5), None] {
            let timeout = Some(120);
            note(&shown("depreferencing", wait, timeout));
            note(&OverrideShown { connections: Some(12), ..shown("waiting", wait, timeout) });
            for left in [Some(0), Some(1), Some(12), None] {
                note(&OverrideShown { connections_left: left, ..shown("drained", wait, timeout) });
            }
        }
        note(&OverrideShown { connections: Some(1), ..shown("depreferencing", None, None) });
        note(&OverrideShown { connections: Some(1), ..shown("waiting", None, None) });
        let all = OverrideShown { scope: "all".to_owned(), ..shown("depreferencing", None, None) };
        text.extend([begun(&all), interrupted(&all), gone(&all), unknown(&all)]);
        text.push(unknown(&OverrideShown { saved: false, ..all }));
        let want = "\
service web: routers move the traffic, connections not counted
service web: waiting for the end of 12 connections
service web: drained, no connection left (ha2bgp undrain web) [0]
service web: time over, withdrawn, 1 connection left (ha2bgp undrain web) [1]
service web: time over, withdrawn, 12 connections left (ha2bgp undrain web) [1]
service web: time over, withdrawn, connections not counted (ha2bgp undrain web) [1]
service web: routers move the traffic, connections not counted
service web: 12 connections, waiting for 5 or fewer
service web: drained, no connection left (ha2bgp undrain web) [0]
service web: drained, 1 connection left (ha2bgp undrain web) [0]
service web: time over, withdrawn, 12 connections left (ha2bgp undrain web) [1]
service web: time over, withdrawn, connections not counted (ha2bgp undrain web) [1]
service web: routers move the traffic, connections not counted
service web: 12 connections, waiting for the end of the time
service web: drained, no connection left (ha2bgp undrain web) [0]
service web: drained, 1 connection left (ha2bgp undrain web) [0]
service web: drained, 12 connections left (ha2bgp undrain web) [0]
service web: drained, connections not counted (ha2bgp undrain web) [0]
service web: routers move the traffic, 1 connection
service web: announced as the last choice, 1 connection (ha2bgp undrain web) [0]
all: the drain is on its way as number 7
all: the drain goes on as number 7; take it back with: ha2bgp undrain --all
all: the drain 7 is not there any more: it was taken back, or its time is over
all: how far the drain is, is not known; it goes on when ha2bgp runs again
all: how far the drain is, is not known; it was not kept";
        assert_eq!(text.join("\n"), want);
        assert!(text.iter().all(|line| line.chars().count() <= 84), "with the code behind it");
    }
}
