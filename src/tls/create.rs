//! Making an authority whose key is worth its routed hosts and nothing else to a thief.
//!
//! A client applies the constraints of the certificates that it is sent, and need not apply those of
//! the one it trusts (RFC 5280, section 6.1.1; Java's validator does not). So what is trusted is a
//! root whose key is gone when this returns, and what signs is an intermediate below it.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints,
};

use super::authority::LONGEST_NAME;
use super::certificate::seconds;
use super::private::NewKey;
use super::{BACKDATED, date, serial};
use crate::problem::Problem;
use crate::secret::Secret;

/// What an authority is made from.
#[derive(Clone, Copy, Debug)]
pub struct NewAuthority<'a> {
    /// The names, `*.` names and addresses (without brackets) that it may vouch for; all there
    /// are, when empty.
    ///
    /// A name also permits every name below it: RFC 5280, 4.2.1.10 has no other form. For
    /// `*.example.com` the constraint is `example.com`.
    pub hosts: &'a [String],
    /// From when on, in milliseconds since the Unix epoch; an hour is added before it.
    pub unix_ms: u64,
    /// For how long.
    pub days: u32,
}

/// An authority that was made.
#[derive(Debug)]
pub struct MadeAuthority {
    /// The root's certificate in PEM: what clients have to trust, and all that they may.
    pub root: String,
    /// What signs, in PEM: the intermediate's private key (P-256, PKCS#8), then its certificate.
    pub issuing: Secret,
}

impl NewAuthority<'_> {
    /// Makes root and intermediate, with the same constraints. The root's key is never written in
    /// any form, and wiped.
    ///
    /// Names that are not constrained are out of reach by their form: whichever of host names,
    /// IPv4 and IPv6 addresses no host needs is excluded whole. Constraints on mail addresses and
    /// URIs are not needed: the extended key usage `serverAuth` is binding for what a CA signs,
    /// and who checks a server looks at host names and addresses alone.
    ///
    /// # Errors
    ///
    /// What the library says that writes certificates.
    pub fn make(&self) -> Result<MadeAuthority, Problem> {
        let failed = |error: rcgen::Error| {
            Problem::new(format!("no CA can be made: {error}"), "report this, with the hosts")
        };
        let root = CertifiedIssuer::self_signed(self.params("root", 1), NewKey::generate());
        let root = root.map_err(failed)?;
        let key = NewKey::generate();
        let mut params = self.params("intermediate", 0);
        params.use_authority_key_identifier_extension = true;
        let intermediate = params.signed_by(&key, &root).map_err(failed)?;
        let issuing = [key.to_pem().as_bytes(), intermediate.pem().as_bytes()].concat();
        Ok(MadeAuthority { root: root.pem(), issuing: Secret::new(issuing) })
    }

    /// A certificate with this many authorities below it, one below the other.
    fn params(&self, role: &str, below: u8) -> CertificateParams {
        let now = seconds(self.unix_ms);
        let made = date(now);
        let mut params = CertificateParams::default();
        params.not_before = date(now - BACKDATED);
        params.not_after = date(now.saturating_add(i64::from(self.days) * 86_400));
        params.serial_number = Some(serial());
        params.distinguished_name = DistinguishedName::new();
        let name = format!("countersign local {role} CA {}", made.date());
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationalUnitName, summary(self.hosts));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = (!self.hosts.is_empty()).then(|| constraints(self.hosts));
        params
    }
}

fn constraints(hosts: &[String]) -> NameConstraints {
    let mut permitted = Vec::new();
    let (mut names, mut v4, mut v6) = (false, false, false);
    for host in hosts {
        let subtree = match host.parse::<IpAddr>() {
            Ok(address) => {
                if address.is_ipv4() {
                    v4 = true;
                } else {
                    v6 = true;
                }
                let bits = if address.is_ipv4() { 32 } else { 128 };
                GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
            }
            Err(_) => {
                names = true;
                GeneralSubtree::DnsName(host.strip_prefix("*.").unwrap_or(host).to_owned())
            }
        };
        if !permitted.contains(&subtree) {
            permitted.push(subtree);
        }
    }
    let unused = [
        (names, GeneralSubtree::DnsName(String::new())),
        (v4, GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0))),
        (v6, GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0))),
    ];
    let excluded = unused.into_iter().filter(|(used, _)| !used).map(|(_, all)| all).collect();
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

/// The hosts as far as they fit, so that whoever finds the certificate among others knows what it
/// is for.
fn summary(hosts: &[String]) -> String {
    if hosts.is_empty() {
        return "for every host".to_owned();
    }
    let all = format!("for {}", hosts.join(", "));
    if all.len() <= LONGEST_NAME {
        return all;
    }
    let rest = hosts.len() - 1;
    let first = match rest {
        0 => format!("for {}", hosts[0]),
        _ => format!("for {} and {rest} more", hosts[0]),
    };
    if first.len() <= LONGEST_NAME { first } else { format!("for {} hosts", hosts.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_fits_a_name() {
        let long = format!("{}.example.com", "a".repeat(60));
        let cases = [
            (&[][..], "for every host"),
            (&["a.com", "*.b.com"], "for a.com, *.b.com"),
            (&["a.com", &long], "for a.com and 1 more"),
            (&[&long, "a.com"], "for 2 hosts"),
            (&[&long], "for 1 hosts"),
        ];
        for (hosts, expected) in cases {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(summary(&hosts), expected);
        }
    }

    #[test]
    fn forms_that_no_host_has_are_excluded_whole() {
        let cases = [
            (&["a.com"][..], 1, 2),
            (&["a.com", "*.a.com"], 1, 2),
            (&["192.0.2.1"], 1, 2),
            (&["2001:db8::1"], 1, 2),
            (&["a.com", "192.0.2.1"], 2, 1),
            (&["a.com", "192.0.2.1", "::1"], 3, 0),
        ];
        for (hosts, permitted, excluded) in cases {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            let made = constraints(&hosts);
            let found = (made.permitted_subtrees.len(), made.excluded_subtrees.len());
            assert_eq!(found, (permitted, excluded), "{hosts:?}");
        }
    }
}
