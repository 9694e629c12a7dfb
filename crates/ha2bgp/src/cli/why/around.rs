//! What is around an address that is no service: why it is none, and what may have been meant.

use crate::cli::screen::{Screen, clean};
use crate::control::api::why::{WhyAround, WhyNear};

/// So many networks are shown.
const NETWORKS_MAX: usize = 16;

/// The lines.
pub(super) fn lines(lines: &mut Vec<String>, around: &WhyAround, reason: &str, screen: Screen) {
    let mut add = |text: String| lines.push(screen.wrap(&text, 2));
    if let Some(never) = &around.never {
        add(format!("it is {}", clean(never)));
        return;
    }
    let list = |items: &[String]| {
        let shown: Vec<String> = items.iter().take(NETWORKS_MAX).map(|it| clean(it)).collect();
        let more = items.len().saturating_sub(NETWORKS_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    add(format!("only what is in these networks is ever announced: {}", list(&around.networks)));
    if reason == "not-discovered" {
        add(format!("sockets are found by this filter: {}", clean(&around.filter)));
        if !around.matched.is_empty() {
            add(format!(
                "these match, and serve it once it is an address of this host: {}",
                list(&around.matched)
            ));
        }
        if around.unmatched.is_empty() && around.matched.is_empty() {
            add("nothing listens on it".to_owned());
        }
    }
    if !around.unmatched.is_empty() {
        add(format!("these listen there and do not match: {}", list(&around.unmatched)));
    }
    if !around.near.is_empty() {
        let near: Vec<String> = around.near.iter().map(near).collect();
        add(format!("nearest: {}", near.join(", ")));
    }
}

fn near(near: &WhyNear) -> String {
    let is = if near.announced { "announced" } else { "not announced" };
    let name = if near.service.is_empty() { String::new() } else { format!("{}, ", near.service) };
    format!("{} ({}{is})", clean(&near.prefix), clean(&name))
}
