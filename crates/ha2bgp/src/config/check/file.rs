//! `type = "file"`.

use ha2bgp_proto::maintenance::{FileLimits, FileRule};
use ha2bgp_proto::pattern::Pattern;

use super::super::file::keys::{self, key};
use super::super::reader::go_bool;
use super::common::{self, POWERS};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Watched;
use crate::observe::check::file::FileProbe;

/// A file is there, or is not.
pub(super) const KIND: Kind = Kind {
    name: "file",
    about: "A file is there, holds what it should and is young enough; or it is not there, as a \
            maintenance file.",
    keys: &[
        key(
            "path",
            keys::Kind::Path,
            "",
            "The file; `{vip}` and `{service}` are filled in; it must be given",
        ),
        key("exists", keys::Kind::Bool, "true", "Whether it must be there, or must not"),
        key(
            "contains",
            keys::Kind::Text,
            "",
            "What must be in its first 64 KiB: a text, or a regular expression between slashes",
        ),
        key("max-age", keys::Kind::Duration, "", "It was written no longer ago than this"),
        key("min-size", keys::Kind::Number, "", "It has so many octets at least"),
        key(
            "interval",
            keys::Kind::Duration,
            "10s",
            "How often it is looked at when nothing is told of it (inotify), 10ms at least",
        ),
    ],
    groups: &[POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let path =
        fields.required("path", "\"/run/maintenance\"", |text| Ok::<_, String>(text.to_owned()));
    let place = path.and_then(|_| fields.place("path"));
    let exists = fields.get("exists", go_bool).unwrap_or(true);
    let limits = FileLimits {
        contains: fields.get("contains", str::parse::<Pattern>),
        max_age: fields.get("max-age", common::time),
        min_size: fields.get("min-size", octets),
    };
    if !exists {
        for name in ["contains", "max-age", "min-size"] {
            if fields.is_given(name) {
                fields.fail(
                    name,
                    "is for a file that must be there, and exists = false: leave one of them out",
                );
            }
        }
    }
    let path = place?;
    let per_vip = path.template.uses_vip();
    let rule = if exists { FileRule::Exists(limits) } else { FileRule::Absent };
    Some(Read::watched(Watched::File(FileProbe { path, rule }), per_vip))
}

fn octets(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is not a number of octets: write a whole number, for example 1024")
    })
}
