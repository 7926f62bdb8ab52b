//! What a vector's request becomes: for files that are written here, whose expectations are not
//! known yet.

use bytes::Bytes;

use super::Trial;
use crate::keys::Hashing;
use crate::scheme::Signable;
use crate::scheme::declared::compiled::Compiled;
use crate::scheme::declared::eval::{Placed, prepare};
use crate::scheme::declared::inputs::{Inputs, Ticks};

impl Compiled {
    /// What the request of a vector becomes under the keys that stand in it.
    ///
    /// # Errors
    ///
    /// Why it becomes nothing.
    pub(in crate::scheme::declared) fn becomes(&self, index: usize) -> Result<Placed, String> {
        let trial = Trial { compiled: self, vector: &self.vectors[index] };
        let vector = trial.vector;
        let said = |(_, what, _): super::Wrong| what;
        let signers = trial.signers().map_err(said)?;
        let keys: Vec<_> = signers.iter().map(|signer| signer.public_key().clone()).collect();
        let params = trial.params().map_err(said)?;
        let secrets = trial.secrets().map_err(said)?;
        let head = vector.request.head(&self.host).ok_or("the request cannot be sent to host")?;
        let body = Bytes::from(vector.request.body.clone().into_bytes());
        let publics = self.publics(&keys);
        let inputs = Inputs { compiled: self, keys: &keys, publics: &publics, params: &params };
        let request = Signable { head: &head, body: Some(&body) };
        let given = trial.nonces().map_err(said)?;
        let ticks = Ticks { unix_ms: vector.now, seed: b"vector".into(), given };
        let prepared = prepare(inputs, secrets, request, ticks).map_err(|fault| fault.what)?;
        let preimages = prepared.preimages().map_err(|fault| fault.what)?;
        let sign = |(value, hashing, text): &(usize, Hashing, &[u8])| {
            trial.sign(*value, hashing.content(text), &signers).map_err(said)
        };
        let signatures = preimages.iter().map(sign).collect::<Result<Vec<_>, _>>()?;
        drop(preimages);
        prepared.place(&signatures).map_err(|fault| fault.what)
    }
}
