//! The store of a program that was built without a client for Redis: there can be none, and who asks for
//! one is told so at the start.

use std::time::Duration;

use super::found::Found;
use super::password::Passwords;
use crate::config::Shared;
use crate::nonces::{Reply, Round};
use crate::problem::Problem;

/// No store.
#[derive(Debug)]
pub enum Store {}

impl Store {
    /// None.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn new(_: &Shared) -> Result<Self, Problem> {
        Err(Problem::new(
            "[shared] cannot be had: this program was built without Redis",
            "build it with the cargo feature `redis`, which is on by default",
        ))
    }

    pub(crate) fn passwords(&self) -> Passwords {
        match *self {}
    }

    pub(super) fn another(&self) -> Self {
        match *self {}
    }

    pub(super) async fn reach(&mut self) -> Result<(), Problem> {
        match *self {}
    }

    pub(super) async fn ask(&mut self, _: &Round) -> Result<Reply, Problem> {
        match *self {}
    }

    pub(crate) async fn look(&mut self) -> Result<Found, Problem> {
        match *self {}
    }

    pub(super) fn leave(&mut self) {
        match *self {}
    }
}

/// The answers in no store.
#[derive(Debug)]
pub struct Answers(Store);

impl Answers {
    pub(super) fn of(store: Store) -> Self {
        Self(store)
    }

    pub(crate) fn claimant(&self) -> Result<String, Problem> {
        match self.0 {}
    }

    pub(crate) async fn claim(&self, _: (&str, Duration), _: &str) -> Result<Vec<u8>, Problem> {
        match self.0 {}
    }

    pub(crate) async fn read(&self, _: &str) -> Result<Option<Vec<u8>>, Problem> {
        match self.0 {}
    }

    pub(crate) async fn write(&self, _: (&str, Duration), _: &str) -> Result<(), Problem> {
        match self.0 {}
    }

    pub(crate) async fn keep(&self, _: &str, _: Duration) -> Result<(), Problem> {
        match self.0 {}
    }
}
