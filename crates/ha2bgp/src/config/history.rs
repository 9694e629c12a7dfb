//! `history-file` and `history-size`.

use super::raw::Values;
use super::reader::Reader;
use super::settings::{Backend, StateFile, state_file};
use super::size;
use crate::history::{HistoryFile, HistorySettings};

/// The least that a history may take.
const HISTORY_MIN: u64 = 64 * 1024;
/// And the most.
const HISTORY_MAX: u64 = 1024 * 1024 * 1024;

/// Where what happened is kept, and how much of it.
pub(super) fn read(
    reader: &mut Reader,
    values: &Values,
    backend: Option<Backend>,
) -> HistorySettings {
    let mut settings = HistorySettings::default();
    match reader.one(values, "history-file", state_file) {
        // What is only printed is no history.
        Some(StateFile::Auto) if backend == Some(Backend::Test) => {
            settings.file = HistoryFile::Off;
        }
        Some(StateFile::Off) => settings.file = HistoryFile::Off,
        Some(StateFile::Path(path)) => settings.file = HistoryFile::Path(path.into()),
        Some(StateFile::Auto) | None => {}
    }
    if let Some(size) = reader.one(values, "history-size", size_of) {
        settings.size = size;
    }
    settings
}

fn size_of(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        size @ HISTORY_MIN..=HISTORY_MAX => Ok(size),
        _ => Err(format!("\"{text}\" is not from 64KiB to 1GiB: write for example 4MiB")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::read_with;
    use super::*;

    fn history(text: &str) -> Result<HistorySettings, String> {
        let text = format!("networks = [\"100.64.0.0/24\"]\n{text}");
        read_with(&["--config", "a.toml"], &[], &[("a.toml", text.as_str())])
            .map(|settings| settings.history)
    }

    #[test]
    fn where_it_is_and_how_much() {
        assert_eq!(history(""), Ok(HistorySettings::default()));
        let off = HistorySettings { file: HistoryFile::Off, size: 65_536 };
        assert_eq!(history("history-file = \"off\"\nhistory-size = \"64KiB\""), Ok(off));
        let file = HistoryFile::Path("/x/y".into());
        assert_eq!(history("history-file = \"/x/y\"").map(|it| it.file), Ok(file));
        // What is only printed is no history.
        let test = history("backend = \"test\"").map(|it| it.file);
        assert_eq!(test, Ok(HistoryFile::Off));
        for (text, want) in [
            ("history-file = \"x\"", "neither auto nor off nor an absolute path"),
            ("history-size = \"63KiB\"", "from 64KiB to 1GiB"),
            ("history-size = \"2GiB\"", "from 64KiB to 1GiB"),
            ("history-size = \"big\"", "\"big\" is no size"),
            ("log = { format = \"xml\" }", "\"xml\" is no format: write auto, text, json"),
        ] {
            let error = history(text).unwrap_err();
            assert!(error.contains(want), "{text}\n{error}");
        }
    }
}
