//! One task that many checks look through: it runs while somebody subscribes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::watch;

/// Tasks by what they look at, and where each puts the newest of what it sees.
#[derive(Debug)]
pub struct Shared<K, V>(Rc<RefCell<BTreeMap<K, watch::Sender<V>>>>);

impl<K, V> Clone for Shared<K, V> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<K: Clone + Ord + 'static, V: Default + 'static> Shared<K, V> {
    /// What the task for `key` sees. Where there is none, `start` makes it; it is dropped when
    /// nobody subscribes any more.
    pub fn subscribe<F>(
        &self,
        key: &K,
        start: impl FnOnce(K, watch::Sender<V>) -> F,
    ) -> watch::Receiver<V>
    where
        F: Future<Output = ()> + 'static,
    {
        if let Some(known) = self.0.borrow().get(key) {
            return known.subscribe();
        }
        let (tx, rx) = watch::channel(V::default());
        self.0.borrow_mut().insert(key.clone(), tx.clone());
        let task = start(key.clone(), tx.clone());
        let (all, key) = (self.clone(), key.clone());
        tokio::task::spawn_local(async move {
            tokio::pin!(task);
            loop {
                tokio::select! {
                    () = &mut task => break,
                    () = tx.closed() => {}
                }
                // Somebody may have come meanwhile.
                if tx.receiver_count() == 0 {
                    break;
                }
            }
            all.0.borrow_mut().remove(&key);
        });
        rx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_runs_while_somebody_looks() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let shared: Shared<u8, u32> = Shared::default();
                let starts = Rc::new(RefCell::new(0));
                let start = |_, tx: watch::Sender<u32>| {
                    *starts.borrow_mut() += 1;
                    async move {
                        loop {
                            tx.send_modify(|seen| *seen += 1);
                            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                        }
                    }
                };
                let mut first = shared.subscribe(&1, start);
                let second = shared.subscribe(&1, start);
                first.changed().await.unwrap();
                assert_eq!(*starts.borrow(), 1);
                drop(first);
                tokio::time::sleep(std::time::Duration::from_secs(3)).await;
                assert!(*second.borrow() >= 3, "one is left");
                drop(second);
                tokio::time::sleep(std::time::Duration::from_secs(3)).await;
                assert!(shared.0.borrow().is_empty());
                let _again = shared.subscribe(&1, start);
                assert_eq!(*starts.borrow(), 2);
            })
            .await;
    }
}
