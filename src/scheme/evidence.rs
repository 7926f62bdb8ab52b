//! What a request shows of how it was signed, for whoever asks why its signature does not hold.
//!
//! Pure, and made by each scheme of its own dialect: faults that are seen without a key, the signatures
//! as far as they can be read, and hypotheses, which are the texts that programs are known to sign in
//! place of the right one. A hypothesis whose text the signature holds for is a proof.

mod body;
pub(crate) mod causes;
mod clock;
mod coding;
mod digests;
mod forms;
mod json_forms;
mod path;
mod printed;
mod query;
mod shape;
mod space;
mod types;

pub(super) use body::bodies;
pub use causes::all_causes;
pub(super) use clock::stamp;
pub(super) use digests::ecdsa_digests;
pub(super) use forms::{Form, decoded, ecdsa, near_header, one, public};
pub(super) use json_forms::{Json, forms as json_forms};
pub(super) use query::{Coding, Query, as_written, queries};
pub(super) use shape::{Canon, Facts, Found, Hash, Of, Piece};
pub(super) use space::{Given, near_times, pieces_otherwise, rewritten, space};
pub use types::{
    Cause, Certainty, Evidence, Hypothesis, Known, Limit, Stamp, Suspect, Test, Texts,
};
