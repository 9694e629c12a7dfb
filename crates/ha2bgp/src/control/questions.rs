//! What the control interface asks the engine: bounded requests, answered from what it has.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::CheckKey;
use ha2bgp_core::explain::Explanation;
use ha2bgp_core::survey::Page;
use tokio::sync::{mpsc, oneshot};

use super::api::{Code, Refusal};
use super::metrics::measures::Measures;
use super::orders::{Answer, Order};
use super::scene::{Checks, Known, Select, Services, Whole};
use crate::config::in_force::InForce;

/// How long the engine may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How many questions may wait for the engine; then whoever asks waits.
pub const QUESTIONS_MAX: usize = 4;

/// So many services are explained at once.
pub(crate) const PAGE: usize = 256;

/// One question.
#[derive(Debug)]
pub enum Question {
    /// Why is this address announced, or not?
    Why(IpAddr, oneshot::Sender<Box<Known>>),
    /// What is known of these services?
    Services(Select, oneshot::Sender<Services>),
    /// What is known of everything else?
    Whole(oneshot::Sender<Box<Whole>>),
    /// What is known of the checks behind this one, so many at most?
    Checks(Option<CheckKey>, usize, oneshot::Sender<Checks>),
    /// What is the configuration in force?
    Config(oneshot::Sender<Arc<InForce>>),
    /// What is exported as metrics, but for services?
    Measures(oneshot::Sender<Box<Measures>>),
    /// What is known of the services behind this one, so many at most?
    Page(Option<IpAddr>, usize, oneshot::Sender<Page>),
    /// Please do this.
    Order(Order),
}

/// The way to the engine.
#[derive(Clone, Debug)]
pub struct Questions(pub mpsc::Sender<Question>);

impl Questions {
    /// What is known of services, of so many at most. It is asked page by page: others get their turn in
    /// between, and what changes meanwhile may be seen in part.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn all(&self, most: usize) -> Result<Vec<Explanation>, Refusal> {
        let mut services: Vec<Explanation> = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(after, PAGE.min(most - services.len())).await?;
            services.extend(page.services);
            after = page.next;
            if after.is_none() || services.len() >= most {
                return Ok(services);
            }
        }
    }

    /// What is exported as metrics, but for services.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn measures(&self) -> Result<Box<Measures>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Measures(answer), answered).await
    }

    /// What is known of some services, and nothing else.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn page(&self, after: Option<IpAddr>, most: usize) -> Result<Page, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Page(after, most, answer), answered).await
    }

    /// What is known of some services.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn services(&self, select: Select) -> Result<Services, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Services(select, answer), answered).await
    }

    /// What is known of everything but the services one by one.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn whole(&self) -> Result<Box<Whole>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Whole(answer), answered).await
    }

    /// What is known of some checks.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn checks(&self, after: Option<CheckKey>, most: usize) -> Result<Checks, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Checks(after, most, answer), answered).await
    }

    /// The configuration in force.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn config(&self) -> Result<Arc<InForce>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Config(answer), answered).await
    }

    /// What is known of one address.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn why(&self, vip: IpAddr) -> Result<Box<Known>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Why(vip, answer), answered).await
    }

    /// Has something done.
    ///
    /// # Errors
    /// When it is refused, or the engine does not answer.
    pub async fn order<T>(&self, order: impl FnOnce(Answer<T>) -> Order) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Order(order(answer)), answered).await?
    }

    /// Has something done that cannot be refused.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn tell<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Order(order(answer)), answered).await
    }

    async fn ask<T>(&self, question: Question, answer: oneshot::Receiver<T>) -> Result<T, Refusal> {
        let asked = async {
            self.0.send(question).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(ANSWER_TIME, asked).await {
            Ok(Some(answer)) => Ok(answer),
            _ => Err(Refusal::new(
                Code::Busy,
                "ha2bgp does not answer now: look whether it was done, or ask again",
            )),
        }
    }
}
