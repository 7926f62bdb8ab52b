//! Poseidon as the ethsnarks library had it in 2019.
//!
//! Six full rounds around 52 or 53 partial ones, x⁵, constants from a chain of BLAKE2b digests,
//! and a Cauchy matrix. Neither the constants nor the shape are those of later Poseidons: one
//! constant a round is added to every lane, and the first lane holds the first input.

use std::sync::OnceLock;

use ark_ff::{Field as _, PrimeField as _, Zero as _};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};

use super::field::{Element, Field};

/// The hash of `inputs` with a state of `width` lanes. Inputs that are left out are zeros, so a
/// caller always hands over the full list.
///
/// # Panics
///
/// For a width that is not one of [`WIDTHS`], and for no inputs or as many as there are lanes.
pub fn poseidon(width: usize, inputs: &[Element]) -> Element {
    poseidon_dense(width, inputs)
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

/// [`poseidon`] as it is defined, for tests and to compare with.
#[doc(hidden)]
pub fn poseidon_dense(width: usize, inputs: &[Element]) -> Element {
    let constants = constants(width);
    let mut state = state(width, inputs);
    for (round, constant) in constants.rounds.iter().enumerate() {
        for lane in &mut state {
            *lane += constant;
        }
        let partial = (HALF..constants.rounds.len() - HALF).contains(&round);
        for lane in &mut state[..if partial { 1 } else { width }] {
            *lane = fifth_power(*lane);
        }
        state = times(&constants.matrix, &state);
    }
    Element(state[0])
}

fn state(width: usize, inputs: &[Element]) -> Vec<Field> {
    assert!((1..width).contains(&inputs.len()), "1 to {} inputs, not {}", width - 1, inputs.len());
    let mut state: Vec<_> = inputs.iter().map(|input| input.0).collect();
    state.resize(width, Field::zero());
    state
}

fn times(matrix: &[Vec<Field>], vector: &[Field]) -> Vec<Field> {
    let row = |row: &Vec<Field>| row.iter().zip(vector).map(|(a, b)| *a * b).sum();
    matrix.iter().map(row).collect()
}

fn fifth_power(x: Field) -> Field {
    x.square().square() * x
}

/// What the definition says: a number a round, and a matrix.
struct Constants {
    rounds: Vec<Field>,
    matrix: Vec<Vec<Field>>,
}

fn constants(width: usize) -> &'static Constants {
    static KNOWN: [OnceLock<Constants>; MAX_WIDTH + 1] = [const { OnceLock::new() }; MAX_WIDTH + 1];
    assert!(WIDTHS.contains(&width), "no Poseidon of width {width} is defined here");
    KNOWN[width].get_or_init(|| Constants::derive(width))
}

impl Constants {
    fn derive(width: usize) -> Self {
        let partial = if width <= 6 { 52 } else { 53 };
        let points = chain("poseidon_matrix_0000", 2 * width);
        let (rows, columns) = points.split_at(width);
        let inverse = |x: Field| x.inverse().expect("the points of the matrix differ");
        let row = |row: &Field| columns.iter().map(|column| inverse(*row - column)).collect();
        Self {
            rounds: chain("poseidon_constants", 2 * HALF + partial),
            matrix: rows.iter().map(row).collect(),
        }
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
const MAX_WIDTH: usize = 14;
