//! The refusal codes: name, HTTP status, `Proxy-Status` error, title and remedy of each are a row.
//!
//! A code is a name in `code/list.rs` and a row at the same place of `code/asked.rs` and
//! `code/failed.rs`, one behind the other, which the compiler compares. `docs/refusals.md` is made of
//! the rows.

mod asked;
mod failed;
mod list;

pub use list::{Code, Facts, Side};

impl Code {
    /// Every code, by status.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..asked::ROWS.len() + failed::ROWS.len()).map(|place| at(place).code)
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Its row.
    pub fn facts(self) -> &'static Facts {
        at(self as usize)
    }
}

/// The row at a place.
const fn at(place: usize) -> &'static Facts {
    match place.checked_sub(asked::ROWS.len()) {
        None => &asked::ROWS[place],
        Some(place) => &failed::ROWS[place],
    }
}

const _: () = {
    let mut place = 0;
    while place < asked::ROWS.len() + failed::ROWS.len() {
        assert!(at(place).code as usize == place, "the rows are in the order of the codes");
        place += 1;
    }
};
