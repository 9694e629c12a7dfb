//! One line of the log before it has a format.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::Event;
use tracing::field::{Field, Visit};

use crate::events::{Level, Logged, Record, stamp};

/// What is to be written.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) level: Level,
    /// What happened, in a sentence.
    pub(super) text: String,
    /// More of it, by name.
    pub(super) fields: Vec<(String, String)>,
    /// The record that it tells of, if it does.
    pub(super) record: Option<Arc<Record>>,
}

impl Line {
    /// Takes an event apart.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
        };
        let mut line = Self { level, text: String::new(), fields: Vec::new(), record: None };
        event.record(&mut line);
        line
    }

    /// The line of a record.
    pub(super) fn of_record(record: Arc<Record>) -> Self {
        let shown = record.shown().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            level: record.level,
            text: record.text.clone(),
            fields: shown.collect(),
            record: Some(record),
        }
    }

    /// As JSON, with the names of a record.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut json = match &self.record {
            Some(record) => record.json(),
            None => {
                let mut object = Map::new();
                let mut put = |name: &str, value: String| {
                    object.insert(name.to_owned(), Value::String(value));
                };
                put("at", stamp(Timestamp::now()).to_string());
                put("level", self.level.name().to_owned());
                put("text", self.text.clone());
                let more: Map<_, _> = self
                    .fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone().into()))
                    .collect();
                if !more.is_empty() {
                    object.insert("more".to_owned(), Value::Object(more));
                }
                Value::Object(object).to_string()
            }
        };
        json.push('\n');
        json.into_bytes()
    }

    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.text = value,
            name => self.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        match value.downcast_ref::<Logged>() {
            Some(Logged(record)) => *self = Self::of_record(Arc::clone(record)),
            None => self.put(field, value.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::*;
    use crate::events::{Draft, Id, Kind};

    /// Takes lines as the log does.
    struct Take(SyncSender<Line>);

    impl<S: tracing::Subscriber> Layer<S> for Take {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.send(Line::of(event)).unwrap();
        }
    }

    #[test]
    fn lines_and_records_have_the_same_names_in_json() {
        let (sender, lines) = sync_channel(10);
        let subscriber = tracing_subscriber::registry().with(Take(sender));
        let draft = Draft::new(Kind::Released, Level::Info, "calm").service("web");
        let record = draft.finish(Id::default().plus(1), Timestamp::UNIX_EPOCH);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(count = 3, why = %"x \"y\"", "said {}", 1);
            let record = Logged(Arc::new(record.clone()));
            tracing::info!(record = &record as &(dyn Error + 'static));
        });
        let line = String::from_utf8(lines.recv().unwrap().json()).unwrap();
        let read: Value = serde_json::from_str(&line).unwrap();
        let at: Timestamp = read["at"].as_str().unwrap().parse().unwrap();
        assert!(at > Timestamp::UNIX_EPOCH && line.ends_with("}\n") && line.lines().count() == 1);
        let want = r#"{"count":"3","why":"x \"y\""}"#;
        assert_eq!(read["more"].to_string(), want);
        assert_eq!((&read["level"], &read["text"]), (&"warn".into(), &"said 1".into()));
        let line = lines.recv().unwrap();
        assert_eq!(String::from_utf8(line.json()).unwrap(), format!("{}\n", record.json()));
        assert_eq!((line.level, line.text.as_str()), (Level::Info, "calm"));
    }
}
