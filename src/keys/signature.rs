//! Signatures as numbers. How they are written down is a provider's dialect, so encodings are
//! methods a scheme calls, not a property of the signature.

/// A signature over a [`Content`](super::Content).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signature {
    /// ECDSA on a 256-bit curve: two big-endian numbers.
    Ecdsa {
        /// The x coordinate of the nonce's point, modulo the group order.
        r: [u8; 32],
        /// The proof.
        s: [u8; 32],
    },
    /// EdDSA over Baby Jubjub: three big-endian elements of the curve's field.
    BabyJub {
        /// The first coordinate of the nonce's point.
        rx: [u8; 32],
        /// The second coordinate.
        ry: [u8; 32],
        /// The proof: as large as the field, not reduced to the order of the group.
        s: [u8; 32],
    },
    /// Octets, as the algorithm's own standard defines them: for RSA a number as long as the
    /// modulus, big-endian (RFC 8017, section 8.2).
    Octets(Vec<u8>),
}

impl Signature {
    /// The ASN.1 DER form, at most 72 bytes. ECDSA alone has one.
    pub fn to_der(&self) -> Option<Vec<u8>> {
        let (r, s) = match self {
            Self::Ecdsa { r, s } => (r, s),
            Self::BabyJub { .. } | Self::Octets(_) => return None,
        };
        let integer = |bytes: &[u8; 32]| {
            let first = bytes.iter().position(|b| *b != 0).unwrap_or(31);
            let mut out = vec![0x02, 0];
            if bytes[first] & 0x80 != 0 {
                out.push(0);
            }
            out.extend_from_slice(&bytes[first..]);
            out[1] = short_length(out.len() - 2);
            out
        };
        let (r, s) = (integer(r), integer(s));
        let mut der = vec![0x30, short_length(r.len() + s.len())];
        der.extend_from_slice(&r);
        der.extend_from_slice(&s);
        Some(der)
    }
}

/// A DER length below 128.
fn short_length(length: usize) -> u8 {
    u8::try_from(length).expect("two 33-byte integers fit a short DER length")
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::Signature as Secp256k1Signature;
    use p256::ecdsa::Signature as P256Signature;
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Algorithm;

    proptest! {
        #[test]
        fn der_is_what_the_curve_library_writes(r in any::<[u8; 32]>(), s in any::<[u8; 32]>()) {
            let Ok(theirs) = Secp256k1Signature::from_scalars(r, s) else { return Ok(()) };
            let ours = Signature::Ecdsa { r, s };
            let der = ours.to_der().expect("it is ECDSA");
            let theirs = theirs.to_der();
            prop_assert_eq!(theirs.as_bytes(), der.as_slice());
            prop_assert_eq!(Signature::from_der(Algorithm::ECDSA_SECP256K1, &der), Some(ours));
        }

        #[test]
        fn short_numbers_are_written_short(lead in 1_usize..31, byte in 1_u8..) {
            let mut number = [0; 32];
            number[lead] = byte;
            let ours = Signature::Ecdsa { r: number, s: number }.to_der().expect("it is ECDSA");
            let theirs = P256Signature::from_scalars(number, number).expect("in range").to_der();
            prop_assert_eq!(theirs.as_bytes(), ours.as_slice());
        }
    }

    #[test]
    fn bytes_after_the_signature_are_refused() {
        let mut der = Signature::Ecdsa { r: [1; 32], s: [2; 32] }.to_der().unwrap();
        der.push(0);
        assert_eq!(Signature::from_der(Algorithm::ECDSA_P256, &der), None);
    }
}
