//! Multiples of the generator, in a time that says nothing of the multiplier.
//!
//! A row of the table holds a power of sixteen, and its multiples up to the sixteenth; a
//! multiplication adds one entry of each row. Which entry is a secret: all sixteen are read, and
//! masks select.
//!
//! The sum begins with a random scale, so that the coordinates on the way are random, whatever
//! the multiplier is. That is needed because the field library subtracts the prime where a
//! product needs it, and that is a branch. A scale does not hide a zero. So digits count from one
//! and no entry is the neutral point: otherwise, the zeros at the end of a multiplier would be
//! seen as zeros on the way.

use std::hint::black_box;
use std::sync::OnceLock;

use ark_ff::{BigInt, One as _, Zero as _};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use k256::elliptic_curve::bigint::U256;
use zeroize::Zeroizing;

use super::curve::{Addend, Extended, Point};
use super::field::{Element, Field};
use super::scalar::ORDER;

/// Random numbers for one multiplication.
pub(super) struct Blinds {
    start: Field,
    end: Field,
}

impl Blinds {
    /// Draws them.
    pub(super) fn draw() -> Result<Self, Unspecified> {
        let draw = || -> Result<Field, Unspecified> {
            let mut bytes = [0; 32];
            rand::fill(&mut bytes)?;
            let drawn = Element::from_be_bytes_reduced(&bytes).0;
            // Zero has no inverse. Nobody will ever see it drawn.
            Ok(if drawn.is_zero() { Field::one() } else { drawn })
        };
        Ok(Self { start: draw()?, end: draw()? })
    }

    /// None, for a multiplier that is public.
    pub(super) fn none() -> Self {
        Self { start: Field::one(), end: Field::one() }
    }
}

/// The generator times `scalar`, which is below its order.
pub(super) fn times_base(scalar: &U256, blinds: &Blinds) -> Extended {
    let bytes = Zeroizing::new(<[u8; 32]>::from(scalar.sub_mod(&ONES, &ORDER).to_le_bytes()));
    let mut sum = Extended::neutral(blinds.start);
    for (index, row) in table().iter().enumerate() {
        let digit = (bytes[index / 2] >> (4 * (index % 2))) & 0xf;
        sum = sum.add_addend(&select(row, digit));
    }
    sum
}

/// [`times_base`] as a point.
pub(super) fn point_of(scalar: &U256, blinds: &Blinds) -> Point {
    times_base(scalar, blinds).to_point(blinds.end)
}

/// Makes the table, so that no request has to wait for it.
pub(super) fn warm() {
    table();
}

/// An entry as the words of its three coordinates, which is what masks work on.
type Words = [u64; 12];

fn select(row: &[Words; 16], digit: u8) -> Addend {
    let mut words = [0; 12];
    for (index, entry) in (0_u64..).zip(row) {
        let difference = index ^ u64::from(digit);
        // All ones where there is no difference, without asking. The box keeps the compiler from
        // finding out that this is a comparison.
        let mask = black_box((difference.wrapping_sub(1) >> 63).wrapping_neg());
        for (word, candidate) in words.iter_mut().zip(entry) {
            *word |= candidate & mask;
        }
    }
    let number = |at: usize| {
        Field::new_unchecked(BigInt([words[at], words[at + 1], words[at + 2], words[at + 3]]))
    };
    Addend { minus: number(0), plus: number(4), product: number(8) }
}

fn table() -> &'static [[Words; 16]; ROWS] {
    static TABLE: OnceLock<Box<[[Words; 16]; ROWS]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Box::new([[[0; 12]; 16]; ROWS]);
        let mut power = Extended::from(&Point::BASE);
        for row in table.iter_mut() {
            let mut multiple = Extended::neutral(Field::one());
            for entry in row {
                multiple = multiple.add(&power);
                *entry = words(&Addend::from(&multiple.to_point(Field::one())));
            }
            power = multiple;
        }
        table
    })
}

fn words(addend: &Addend) -> Words {
    let mut words = [0; 12];
    let numbers = [addend.minus, addend.plus, addend.product];
    for (four, number) in words.as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
        // In Montgomery form, as they are added.
        *four = number.0.0;
    }
    words
}

/// Four bits each: 252, and the group's order has 251.
const ROWS: usize = 63;

/// What digits that count from one add to a number: a one in each row.
const ONES: U256 =
    U256::from_be_hex("0111111111111111111111111111111111111111111111111111111111111111");
const _: () = assert!(ONES.cmp_vartime(ORDER.as_ref()).is_lt(), "a subtraction is enough");
