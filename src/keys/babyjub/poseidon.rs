//! Poseidon as the ethsnarks library had it in 2019.
//!
//! Six full rounds around 52 or 53 partial ones, x⁵, constants from a chain of BLAKE2b digests,
//! and a Cauchy matrix. Neither the constants nor the shape are those of later Poseidons: one
//! constant a round is added to every lane, and the first lane holds the first input.

use std::iter::zip;
use std::sync::OnceLock;

use ark_ff::{Field as _, PrimeField as _, Zero as _};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};

use super::field::{Element, Field};
use super::sparse::{MAX_WIDTH, Matrix, PartialRounds, fifth_power};
use crate::cost::Cost;

/// The hash of `inputs` with a state of `width` lanes. Inputs that are left out are zeros, so a
/// caller always hands over the full list.
///
/// # Panics
///
/// For a width that is not one of [`WIDTHS`], and for no inputs or as many as there are lanes.
pub fn poseidon(width: usize, inputs: &[Element]) -> Element {
    let Constants { rounds, matrix, partial } = constants(width);
    let mut lanes = [Field::zero(); MAX_WIDTH];
    let state = &mut lanes[..width];
    fill(state, inputs);
    let (before, after) = (&rounds[..HALF], &rounds[rounds.len() - HALF..]);
    before.iter().for_each(|constant| full_round(state, *constant, matrix));
    partial.apply(state);
    after.iter().for_each(|constant| full_round(state, *constant, matrix));
    Element(state[0])
}

/// What a hash of that width costs: 16 µs of width 6 and 47 of width 14 were measured.
pub const fn poseidon_cost(width: usize) -> Cost {
    Cost::micros(5).times(width)
}

/// Derives the constants of a width, so that no request has to wait for it.
///
/// # Panics
///
/// For a width that is not one of [`WIDTHS`].
pub fn warm(width: usize) {
    constants(width);
}

/// The widths that are used: signatures have 6, messages the others.
pub const WIDTHS: &[usize] = &[6, 9, 10, 12, 13, 14];

/// [`poseidon`] as it is defined, word for word: for tests, and to compare with.
#[doc(hidden)]
pub fn poseidon_dense(width: usize, inputs: &[Element]) -> Element {
    let Constants { rounds, matrix, .. } = constants(width);
    dense(width, rounds, matrix, inputs)
}

/// The hash with another width or number of partial rounds than this variant has, as other programs
/// may have it; none for a width above 14, or too many inputs. It makes its constants each time.
pub fn poseidon_of(width: usize, partial: usize, inputs: &[Element]) -> Option<Element> {
    let right = (2..=MAX_WIDTH).contains(&width) && !inputs.is_empty() && inputs.len() < width;
    let made = right.then(|| Constants::with(width, partial))?;
    Some(dense(width, &made.rounds, &made.matrix, inputs))
}

fn dense(width: usize, rounds: &[Field], matrix: &Matrix, inputs: &[Element]) -> Element {
    let mut state = vec![Field::zero(); width];
    fill(&mut state, inputs);
    for (index, constant) in rounds.iter().enumerate() {
        let full = index < HALF || index >= rounds.len() - HALF;
        for (at, lane) in state.iter_mut().enumerate() {
            *lane += constant;
            if full || at == 0 {
                *lane = fifth_power(*lane);
            }
        }
        let lane = |row: &[Field]| zip(row, &state).map(|(a, b)| *a * b).sum();
        state = matrix.rows().map(lane).collect();
    }
    Element(state[0])
}

fn fill(state: &mut [Field], inputs: &[Element]) {
    assert!(!inputs.is_empty() && inputs.len() < state.len(), "{} inputs", inputs.len());
    zip(state, inputs).for_each(|(lane, input)| *lane = input.0);
}

fn full_round(state: &mut [Field], constant: Field, matrix: &Matrix) {
    state.iter_mut().for_each(|lane| *lane = fifth_power(*lane + constant));
    matrix.apply(state);
}

/// What the definition says, a number a round and a matrix; and what is made of them.
pub(super) struct Constants {
    pub(super) rounds: Vec<Field>,
    pub(super) matrix: Matrix,
    partial: PartialRounds,
}

pub(super) fn constants(width: usize) -> &'static Constants {
    static KNOWN: [OnceLock<Constants>; MAX_WIDTH + 1] = [const { OnceLock::new() }; MAX_WIDTH + 1];
    assert!(WIDTHS.contains(&width), "no Poseidon of width {width} is defined here");
    KNOWN[width].get_or_init(|| Constants::derive(width))
}

impl Constants {
    fn derive(width: usize) -> Self {
        Self::with(width, if width <= 6 { 52 } else { 53 })
    }

    fn with(width: usize, partial: usize) -> Self {
        let rounds = chain("poseidon_constants", 2 * HALF + partial);
        let points = chain("poseidon_matrix_0000", 2 * width);
        let (rows, columns) = points.split_at(width);
        let inverse = |x: Field| x.inverse().expect("the points of the matrix differ");
        let row = |row: &Field| columns.iter().map(|column| inverse(*row - column)).collect();
        let matrix = Matrix(rows.iter().map(row).collect());
        let partial = PartialRounds::derive(&rounds[HALF..HALF + partial], &matrix);
        Self { rounds, matrix, partial }
    }
}

/// The digests of a label, of its digest, and so on, each read as a little-endian number.
fn chain(label: &str, length: usize) -> Vec<Field> {
    let mut digest = Blake2b::<U32>::digest(label);
    let mut numbers = Vec::with_capacity(length);
    for _ in 0..length {
        numbers.push(Field::from_le_bytes_mod_order(&digest));
        digest = Blake2b::<U32>::digest(digest);
    }
    numbers
}

/// Full rounds before the partial ones, and after them.
const HALF: usize = 3;
