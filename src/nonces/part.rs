//! Which of the processes with one key this one is: as it is written, by the name of its machine, or by
//! a lease.

use std::str::FromStr;

use super::placer::Replica;
use crate::problem::Problem;

/// How a process comes to its share of the nonces.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Part {
    /// By its number: `2/4`.
    Written(Replica),
    /// By the number at the end of its machine's name, of so many: `ordinal/4`. A StatefulSet counts its
    /// pods so, from 0.
    Ordinal(u64),
    /// By a lease of the store that all share: `shared`.
    Shared,
}

impl Part {
    /// The share on the machine of this name. Whoever leases has none but the lease.
    ///
    /// # Errors
    ///
    /// When the name has no number, or one that is too large.
    pub fn on(self, host: &str) -> Result<Replica, Problem> {
        let all = match self {
            Self::Written(replica) => return Ok(replica),
            Self::Shared => return Ok(Replica::ALONE),
            Self::Ordinal(all) => all,
        };
        let fix = "run it in a StatefulSet, whose pods are NAME-0, NAME-1 and so on; or write \
                   replica = \"1/2\" for the first of two";
        let name = host.split('.').next().unwrap_or_default();
        let number = name.rsplit_once('-').and_then(|(_, number)| number.parse::<u64>().ok());
        let Some(number) = number else {
            let what =
                format!("is \"ordinal/{all}\", and this machine's name, {host}, ends in no number");
            return Err(Problem::new(what, fix));
        };
        format!("{}/{all}", number.saturating_add(1)).parse().map_err(|_| {
            let what = format!("is \"ordinal/{all}\", and this machine, {host}, is not one of the first {all}");
            Problem::new(what, format!("write \"ordinal/N\" with the most replicas there will be, and restart all: {number} needs {} at least", number.saturating_add(1)))
        })
    }

    /// The share that is written; all of it where none is.
    pub fn written(self) -> Replica {
        match self {
            Self::Written(replica) => replica,
            Self::Ordinal(_) | Self::Shared => Replica::ALONE,
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "shared" {
            return Ok(Self::Shared);
        }
        match text.strip_prefix("ordinal/") {
            // As many as a share can be of.
            Some(all) => {
                format!("1/{all}").parse::<Replica>().map(|_| all.parse()).and_then(|all| {
                    all.map(Self::Ordinal).map_err(|_| format!("\"{text}\" has no number"))
                })
            }
            None => text.parse().map(Self::Written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_name_says_which_share_is_its_own() {
        for (host, share) in [
            ("countersign-0", Some("1/3")),
            ("countersign-2.proxies.svc", Some("3/3")),
            ("countersign-3", None),
            ("countersign-x", None),
            ("countersign-18446744073709551615", None),
            ("countersign", None),
        ] {
            let found = Part::Ordinal(3).on(host).ok().map(|replica| replica.to_string());
            assert_eq!(found.as_deref(), share, "{host}");
        }
        assert_eq!(Part::Written("2/4".parse().unwrap()).on("x").unwrap().to_string(), "2/4");
    }

    #[test]
    fn a_part_is_a_share_an_ordinal_or_shared() {
        assert_eq!("shared".parse(), Ok(Part::Shared));
        assert_eq!("ordinal/3".parse(), Ok(Part::Ordinal(3)));
        assert_eq!("1/1".parse(), Ok(Part::Written(Replica::ALONE)));
        for bad in ["", "share", "ordinal", "ordinal/0", "ordinal/101", "ordinal/x", "ordinal/1/2"]
        {
            assert!(bad.parse::<Part>().is_err(), "{bad}");
        }
    }
}
