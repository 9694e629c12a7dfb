//! The reference page of reasons, made from the core's closed list.

use ha2bgp_core::reason::Reason;

/// The page in Markdown.
pub(super) fn reference() -> String {
    let mut page = String::from(
        "# Reasons\n\nWhy a prefix is, or is not, announced. The code is the same in the log, in \
         the status dump and here. Made from the program's own list: `cargo test -p ha2bgp` \
         rewrites this page when it is out of date.\n\n| code | meaning |\n|---|---|\n",
    );
    for reason in Reason::ALL {
        page.push_str(&format!("| `{reason}` | {} |\n", reason.text()));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_fresh() {
        super::super::flags::assert_fresh("docs/reference/reasons.md", &reference());
    }
}
