//! Baby Jubjub: 168700·x² + y² = 1 + 168696·x²·y².
//!
//! Points are added on the isomorphic curve −u² + y² = 1 + d·u²·y² with u = √−168700 · x, where
//! an addition is cheapest. Its formula (Hisil, Wong, Carter and Dawson 2008, section 3.1) is
//! complete: −1 is a square in the field and d is none, so there are no exceptions to branch on.

use ark_ff::{Field as _, MontFp, One as _, Zero as _};
use k256::elliptic_curve::bigint::U256;

use super::field::{Element, Field};

/// A point of the curve, in the coordinates that providers write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Point {
    pub(super) x: Element,
    pub(super) y: Element,
}

impl Point {
    /// The generator of the subgroup of prime order. Not the point that later Baby Jubjub
    /// libraries call Base8.
    pub(super) const BASE: Self = Self {
        x: Element(MontFp!(
            "16540640123574156134436876038791482806971768689494387082833631921987005038935"
        )),
        y: Element(MontFp!(
            "20819045374670962167435360035096875258406992893633759881276124905556507972311"
        )),
    };

    /// The point with these coordinates, if they are on the curve.
    pub(super) fn new(x: Element, y: Element) -> Option<Self> {
        let (xx, yy) = (x.0.square(), y.0.square());
        (A * xx + yy == Field::one() + D * xx * yy).then_some(Self { x, y })
    }
}

/// A point in extended coordinates: (u/z, y/z), with t = u·y/z.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extended {
    u: Field,
    y: Field,
    z: Field,
    t: Field,
}

impl Extended {
    /// The neutral point (0, 1), with both coordinates multiplied by `z`, which is not zero.
    pub(super) fn neutral(z: Field) -> Self {
        Self { u: Field::zero(), y: z, z, t: Field::zero() }
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let addend = Addend {
            minus: other.y - other.u,
            plus: other.y + other.u,
            product: TWICE_TWISTED_D * other.t,
        };
        self.add_scaled(&addend, self.z * other.z)
    }

    /// Seven multiplications.
    pub(super) fn add_addend(&self, other: &Addend) -> Self {
        self.add_scaled(other, self.z)
    }

    fn add_scaled(&self, other: &Addend, z: Field) -> Self {
        let a = (self.y - self.u) * other.minus;
        let b = (self.y + self.u) * other.plus;
        let c = self.t * other.product;
        let d = z + z;
        let (e, f, g, h) = (b - a, d - c, d + c, b + a);
        Self { u: e * f, y: g * h, z: f * g, t: e * h }
    }

    /// The point added to itself `number` times. Takes longer for some numbers than for others:
    /// for public ones only.
    pub(super) fn times(&self, number: &U256) -> Self {
        let mut sum = Self::neutral(Field::one());
        for index in (0..number.bits_vartime()).rev() {
            sum = sum.add(&sum);
            if number.bit_vartime(index) {
                sum = sum.add(self);
            }
        }
        sum
    }

    /// The point's own coordinates. `blind` is any number but zero: with a random one, what is
    /// inverted is random, and so is the time that takes.
    pub(super) fn to_point(self, blind: Field) -> Point {
        let inverse = (self.z * blind).inverse().expect("no point has z = 0") * blind;
        Point { x: Element(self.u * inverse * FROM_TWISTED), y: Element(self.y * inverse) }
    }
}

impl From<&Point> for Extended {
    fn from(point: &Point) -> Self {
        let u = point.x.0 * TO_TWISTED;
        Self { u, y: point.y.0, z: Field::one(), t: u * point.y.0 }
    }
}

impl PartialEq for Extended {
    fn eq(&self, other: &Self) -> bool {
        self.u * other.z == other.u * self.z && self.y * other.z == other.y * self.z
    }
}

/// A point ready to be added to others: y − u, y + u and 2·d·u·y.
#[derive(Clone, Copy)]
pub(super) struct Addend {
    pub(super) minus: Field,
    pub(super) plus: Field,
    pub(super) product: Field,
}

impl From<&Point> for Addend {
    fn from(point: &Point) -> Self {
        let (u, y) = (point.x.0 * TO_TWISTED, point.y.0);
        Self { minus: y - u, plus: y + u, product: TWICE_TWISTED_D * u * y }
    }
}

const A: Field = MontFp!("168700");
const D: Field = MontFp!("168696");
/// √−168700, one of the two.
const TO_TWISTED: Field =
    MontFp!("6360561867910373094066688120553762416144456282423235903351243436111059670888");
/// Its inverse.
const FROM_TWISTED: Field =
    MontFp!("19976260017534050147865154401153945156910754191401137453807035910720341838527");
/// −2 · 168696 / 168700.
const TWICE_TWISTED_D: Field =
    MontFp!("2475045175004185027501911298141836274980133961483913877536377848625489762075");
