//! Poseidon's partial rounds with a fifth of the multiplications.
//!
//! A partial round raises the first lane alone, so that whatever mixes the other lanes among
//! themselves may as well be done later. With the matrix M = [m v; w H], H its part without the
//! first row and column, and y the state behind the power of round k:
//!
//! ```text
//! M · diag(1, Hᵏ) · y = diag(1, Hᵏ⁺¹) · [m v·Hᵏ; H⁻ᵏ⁻¹·w 1] · y
//! ```
//!
//! The factor on the left is carried through every round and applied with the last; the one on
//! the right has a row, a column and a diagonal of ones. What a round adds to the other lanes is
//! carried likewise, as H⁻ᵏ times the round's constant, and only its effect on the first lane is
//! added in its round. Appendix B of the Poseidon paper has the idea, for other constants.

use std::iter::zip;

use ark_ff::{Field as _, One as _, Zero as _};

use super::field::Field;

/// Partial rounds that give what the dense ones give.
pub(super) struct PartialRounds {
    /// What each round adds to the first lane.
    constants: Vec<Field>,
    /// The matrix of each round but the last.
    sparse: Vec<Sparse>,
    /// The matrix of the last round, with all that was put off.
    last: Matrix,
    /// What is to be added to the state after that.
    after: Vec<Field>,
}

struct Sparse {
    row: Vec<Field>,
    /// Without its first member, which is the row's.
    column: Vec<Field>,
}

impl PartialRounds {
    /// The rounds that add these constants to every lane and multiply with this matrix.
    pub(super) fn derive(constants: &[Field], matrix: &Matrix) -> Self {
        let rows = || matrix.rows().skip(1);
        let inner = Matrix(rows().map(|row| row[1..].to_vec()).collect());
        let inverse = inner.inverse();
        let mut row = matrix.0[0][1..].to_vec();
        let mut column: Vec<_> = rows().map(|row| row[0]).collect();
        let mut ones = vec![Field::one(); row.len()];

        // What the other lanes are owed.
        let mut owed = vec![constants[0]; row.len()];
        let mut first = vec![constants[0]];
        let mut sparse = Vec::new();
        for constant in &constants[1..] {
            column = inverse.times(&column);
            ones = inverse.times(&ones);
            first.push(dot(&row, &owed) + constant);
            zip(&mut owed, &ones).for_each(|(owed, one)| *owed += *one * constant);
            let whole = [&[matrix.0[0][0]], &row[..]].concat();
            sparse.push(Sparse { row: whole, column: column.clone() });
            row = inner.times_left(&row);
        }
        let mut last = vec![[&[matrix.0[0][0]], &row[..]].concat()];
        let put_off = inner.power(constants.len());
        last.extend(zip(rows(), put_off.rows()).map(|(row, rest)| [&row[..1], rest].concat()));
        let last = Matrix(last);
        let after = last.times(&[&[Field::zero()], &owed[..]].concat());
        Self { constants: first, sparse, last, after }
    }

    pub(super) fn apply(&self, state: &mut [Field]) {
        for (constant, Sparse { row, column }) in zip(&self.constants, &self.sparse) {
            let power = fifth_power(state[0] + constant);
            state[0] = power;
            let first = dot(row, state);
            zip(&mut state[1..], column).for_each(|(lane, factor)| *lane += power * factor);
            state[0] = first;
        }
        let constant = self.constants.last().expect("there are partial rounds");
        state[0] = fifth_power(state[0] + constant);
        self.last.apply(state);
        zip(state, &self.after).for_each(|(lane, more)| *lane += more);
    }
}

/// A square matrix, row by row.
pub(super) struct Matrix(pub(super) Vec<Vec<Field>>);

impl Matrix {
    pub(super) fn rows(&self) -> impl Iterator<Item = &[Field]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Replaces a vector by the matrix times it.
    pub(super) fn apply(&self, vector: &mut [Field]) {
        let mut product = [Field::zero(); MAX_WIDTH];
        zip(&mut product, self.rows()).for_each(|(lane, row)| *lane = dot(row, vector));
        vector.copy_from_slice(&product[..vector.len()]);
    }

    fn times(&self, vector: &[Field]) -> Vec<Field> {
        self.rows().map(|row| dot(row, vector)).collect()
    }

    fn times_left(&self, vector: &[Field]) -> Vec<Field> {
        let column = |at: usize| self.rows().map(|row| row[at]).collect::<Vec<_>>();
        (0..vector.len()).map(|at| dot(vector, &column(at))).collect()
    }

    fn product(&self, other: &Self) -> Self {
        Self(self.rows().map(|row| other.times_left(row)).collect())
    }

    fn unit(width: usize) -> Self {
        let cell = |row, column| if row == column { Field::one() } else { Field::zero() };
        Self((0..width).map(|row| (0..width).map(|column| cell(row, column)).collect()).collect())
    }

    fn power(&self, exponent: usize) -> Self {
        let mut power = Self::unit(self.0.len());
        for bit in (0..=exponent.ilog2()).rev() {
            power = power.product(&power);
            if exponent >> bit & 1 == 1 {
                power = power.product(self);
            }
        }
        power
    }

    /// By elimination. Every minor of a Cauchy matrix has an inverse, so no pivot is zero.
    fn inverse(&self) -> Self {
        let width = self.0.len();
        let unit = Self::unit(width);
        let mut rows: Vec<_> =
            zip(self.rows(), unit.rows()).map(|(row, unit)| [row, unit].concat()).collect();
        for at in 0..width {
            let factor = rows[at][at].inverse().expect("no pivot is zero");
            rows[at].iter_mut().for_each(|cell| *cell *= factor);
            let pivot = rows[at].clone();
            for row in rows.iter_mut().enumerate().filter(|(index, _)| *index != at) {
                let factor = row.1[at];
                zip(row.1, &pivot).for_each(|(cell, above)| *cell -= factor * above);
            }
        }
        Self(rows.into_iter().map(|row| row[width..].to_vec()).collect())
    }
}

/// The sum of products, three at a time: as many as the library adds up before it reduces.
fn dot(left: &[Field], right: &[Field]) -> Field {
    let ((threes, rest), (others, other_rest)) = (left.as_chunks::<3>(), right.as_chunks::<3>());
    let sum: Field = zip(threes, others).map(|(a, b)| Field::sum_of_products(a, b)).sum();
    match (rest, other_rest) {
        ([a], [b]) => sum + *a * b,
        ([a, c], [b, d]) => sum + Field::sum_of_products(&[*a, *c], &[*b, *d]),
        _ => sum,
    }
}

pub(super) fn fifth_power(x: Field) -> Field {
    x.square().square() * x
}

/// The widest state there is.
pub(super) const MAX_WIDTH: usize = 14;
