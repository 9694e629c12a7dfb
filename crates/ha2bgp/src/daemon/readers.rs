//! What those who look may cost: a quarter of the engine's time, and never while an observation waits.
//!
//! Each answer is bounded by itself (a page, one address, a count). After it the next question rests
//! three times as long as it took: a thousand clients that ask without end slow one another down, and
//! nothing else.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::control::questions::Question;

/// So many times as long as an answer took, no other is given.
const REST: u32 = 3;
/// A longer rest would be an outage for whoever asks: the processor was taken away, not used.
const REST_MAX: Duration = Duration::from_millis(250);

/// When the next question may be answered.
#[derive(Debug, Default)]
pub(super) struct Readers {
    rest_until: Option<Instant>,
}

impl Readers {
    /// The next question, when it is its turn. Cancelling it loses nothing.
    pub(super) async fn next(&self, questions: &mut mpsc::Receiver<Question>) -> Option<Question> {
        if let Some(until) = self.rest_until {
            tokio::time::sleep_until(until).await;
        }
        questions.recv().await
    }

    /// An answer was given.
    pub(super) fn answered(&mut self, began: Instant, ended: Instant) {
        let rest = (ended.saturating_duration_since(began) * REST).min(REST_MAX);
        self.rest_until = Some(ended + rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test(start_paused = true)]
    async fn questions_rest_as_long_as_three_answers() {
        let (asking, mut questions) = mpsc::channel(64);
        let mut readers = Readers::default();
        let begin = Instant::now();
        for _ in 0..10 {
            let (answer, _) = oneshot::channel();
            asking.send(Question::Config(answer)).await.unwrap();
        }
        for _ in 0..10 {
            readers.next(&mut questions).await.unwrap();
            let began = Instant::now();
            tokio::time::advance(Duration::from_millis(5)).await;
            readers.answered(began, Instant::now());
        }
        // Ten answers, and nine rests between them.
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(50 + 9 * 15), "{took:?}");
        assert!(took < Duration::from_millis(50 + 9 * 15 + 20), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_rest_is_an_outage() {
        let (asking, mut questions) = mpsc::channel(1);
        let mut readers = Readers::default();
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(60)).await;
        readers.answered(began, Instant::now());
        let (answer, _) = oneshot::channel();
        asking.send(Question::Config(answer)).await.unwrap();
        let before = Instant::now();
        readers.next(&mut questions).await.unwrap();
        assert!(before.elapsed() <= REST_MAX + Duration::from_millis(2));
    }
}
