//! A public key in every form a provider's console asks for.

use std::io::Write;

use base16ct::lower::encode_string as hex;
use pkcs8::{Document, LineEnding};
use serde_json::json;

use crate::cli::error::CliError;
use crate::keys::{Algorithm, PublicKey};

/// Writes the forms for people, each with what it is for.
pub(super) fn write_public_forms(key: &PublicKey, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "algorithm    {}", key.algorithm())?;
    writeln!(out, "fingerprint  {}", key.fingerprint())?;
    match key {
        PublicKey::EddsaBabyJub(key) => {
            let (x, y) = (key.x(), key.y());
            writeln!(
                out,
                "\npublicKeyX and publicKeyY, which Loopring wants in decimal:\n{}\n{}",
                x.to_decimal(),
                y.to_decimal()
            )?;
            writeln!(out, "\nand in hex (version 3):\n{}\n{}", x.to_hex(), y.to_hex())?;
            return Ok(());
        }
        PublicKey::RsaPkcs1Sha256(rsa) => {
            writeln!(out, "size         {} bits", rsa.bits())?;
            write!(out, "\nSPKI in PEM:\n{}", pem(key))?;
            return Ok(());
        }
        PublicKey::EcdsaP256(_) | PublicKey::EcdsaSecp256k1(_) => {}
    }
    writeln!(out, "\nSPKI in hex, which Sinohope's console wants:\n{}", hex(&key.spki()))?;
    if key.algorithm() == Algorithm::EcdsaSecp256k1 {
        let point = hex(&key.compressed());
        writeln!(
            out,
            "\ncompressed point, which MetaSV's client-key registration wants:\n{point}"
        )?;
    }
    write!(out, "\nSPKI in PEM, which most others want:\n{}", pem(key))?;
    Ok(())
}

/// Writes the forms for programs: one JSON object, with the same members for every ECDSA key.
pub(super) fn write_json(key: &PublicKey, out: &mut dyn Write) -> Result<(), CliError> {
    let mut forms = json!({
        "algorithm": key.algorithm().name(),
        "fingerprint": key.fingerprint(),
    });
    match key {
        PublicKey::EddsaBabyJub(key) => {
            forms["x"] = key.x().to_decimal().into();
            forms["y"] = key.y().to_decimal().into();
            forms["x_hex"] = key.x().to_hex().into();
            forms["y_hex"] = key.y().to_hex().into();
        }
        PublicKey::RsaPkcs1Sha256(rsa) => {
            forms["bits"] = rsa.bits().into();
            forms["spki_pem"] = pem(key).into();
        }
        PublicKey::EcdsaP256(_) | PublicKey::EcdsaSecp256k1(_) => {
            forms["spki_hex"] = hex(&key.spki()).into();
            forms["compressed_hex"] = hex(&key.compressed()).into();
            forms["spki_pem"] = pem(key).into();
        }
    }
    writeln!(out, "{forms:#}")?;
    Ok(())
}

fn pem(key: &PublicKey) -> String {
    let document = Document::try_from(key.spki()).expect("an encoded key is DER");
    document.to_pem("PUBLIC KEY", LineEnding::LF).expect("DER has a form in PEM")
}
