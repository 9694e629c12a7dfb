//! The records of what happens to BFD sessions.

use super::kind::Kind;
use super::record::Draft;
use super::record::Level::{Info, Warn};
use crate::bfd::states::why;
use crate::bfd::{News, What};

/// The record of a piece of news.
pub fn draft(news: &News) -> Draft {
    let News { target, what, .. } = news;
    let draft = match what {
        What::Up => Draft::new(Kind::BfdUp, Info, "BFD session up").to("up"),
        What::Down { cause, lasted } => {
            let level = if cause.is_failure() { Warn } else { Info };
            let text = format!("BFD session down: {}", why(*cause));
            Draft::new(Kind::BfdDown, level, text)
                .from("up")
                .to("down")
                .more("failure", cause.is_failure())
                .more("lasted", format_args!("{lasted:?}"))
        }
        What::Trouble(text) => {
            Draft::new(Kind::BfdTrouble, Warn, format!("no BFD with {target}: {text}"))
        }
    };
    let draft = if target.multihop { draft.more("multihop", true) } else { draft };
    draft.peer(target.peer)
}
