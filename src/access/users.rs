//! The users of this machine: whose requests are taken without a token.

use std::net::IpAddr;

use crate::peer::Peer;
use crate::refusal::{Code, Refusal};

/// The users of this machine whose requests need no token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Users {
    /// None: everybody has to show one.
    #[default]
    Nobody,
    /// All of them.
    Any,
    /// Those with these numbers.
    These(Vec<u32>),
}

impl Users {
    /// Whether it matters whose a connection is.
    pub fn matter(&self) -> bool {
        matches!(self, Self::These(_))
    }

    /// Whether who is at the other end is one of them. A Unix socket's peer has no address, and has
    /// passed the file's permissions.
    pub fn include(&self, address: Option<IpAddr>, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Nobody, _) => false,
            (Self::Any, _) => true,
            (Self::These(users), Peer::User(user)) => users.contains(&user) || address.is_none(),
            (Self::These(_), Peer::Gone | Peer::Untold(_) | Peer::Unasked) => address.is_none(),
        }
    }

    /// Why somebody is not one of them, where no token could help.
    pub(super) fn refusal(peer: Peer) -> Refusal {
        // The kernel is asked through a socket.
        if let Peer::Untold(libc::EMFILE | libc::ENFILE) = peer {
            return Refusal::new(Code::OutOfDescriptors, peer.to_string());
        }
        let remedy = match peer {
            Peer::User(user) => format!(
                "Write users = [\"{user}\"] below [access] in proxy.toml, or \"any\" for all users of \
                 this machine; or ask for tokens there."
            ),
            Peer::Gone => "Keep the connection open until the answer is there.".to_owned(),
            Peer::Untold(_) => "Let the proxy open netlink sockets (systemd: AF_NETLINK in \
                RestrictAddressFamilies=), or write users = [\"any\"] below [access] in proxy.toml, or \
                ask for tokens there."
                .to_owned(),
            Peer::Unasked => "Connect again.".to_owned(),
        };
        let detail = format!("{peer}, and access.users has to name others than the proxy's own");
        Refusal::new(Code::ClientNotAllowed, detail).remedy(remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_their_number_and_by_nothing_less() {
        let these = Users::These(vec![0, 1001]);
        for (users, peer, included, in_file) in [
            (&these, Peer::User(1001), true, true),
            (&these, Peer::User(0), true, true),
            (&these, Peer::User(1002), false, true),
            (&these, Peer::Gone, false, true),
            (&these, Peer::Untold(libc::EPERM), false, true),
            (&these, Peer::Unasked, false, true),
            (&Users::Any, Peer::Unasked, true, true),
            (&Users::Nobody, Peer::User(0), false, false),
        ] {
            let address = Some([127, 0, 0, 1].into());
            assert_eq!(users.include(address, peer), included, "{users:?} {peer:?}");
            assert_eq!(users.include(None, peer), in_file, "{users:?} {peer:?} in a Unix socket");
        }
    }

    #[test]
    fn a_refusal_names_the_user_and_the_setting() {
        for (peer, detail, remedy) in [
            (Peer::User(1001), "is user 1001's", "users = [\"1001\"] below [access]"),
            (Peer::Untold(libc::EAFNOSUPPORT), "not supported", "AF_NETLINK"),
            (Peer::Untold(libc::EMFILE), "open files", "LimitNOFILE"),
            (Peer::Gone, "cannot be seen any more", "until the answer"),
            (Peer::Unasked, "not asked", "Connect again"),
        ] {
            let refusal = Users::refusal(peer);
            assert!(refusal.detail.contains(detail), "{}", refusal.detail);
            assert!(refusal.advice().contains(remedy), "{}", refusal.advice());
        }
    }
}
