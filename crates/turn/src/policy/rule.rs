use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::{Embedding, Range, RangeError, Special, canonical, embedded, special_purpose};

/// Which peers a server relays to. The default is the safe one; see the [module](super).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    own: Vec<IpAddr>,
}

/// What an operator says about a range of peers: `allow 10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What happens to peers in the range.
    pub action: Action,
    /// The range.
    pub range: Range,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Peers may be relayed to.
    Allow,
    /// Peers may not.
    Deny,
}

/// A verdict, with the rule that it follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The address that the rule is about: the one asked for, or the one inside it.
    pub address: IpAddr,
    /// The verdict.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// What a decision follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A tunnel that RFC 8656 §21.4 forbids; no rule opens it.
    Tunnel(Embedding),
    /// The operator's rule with this number, counted from one.
    Rule(usize, Rule),
    /// The address is the server's.
    Own,
    /// A block of special-purpose addresses.
    Special(&'static Special),
    /// Nothing stands against it: a global unicast address.
    Global,
}

impl Policy {
    /// Adds a rule after those that are there; the first that matches decides. Rules come before the
    /// default: one that allows a wide range opens whatever is in it, but for 6to4 and Teredo.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Names an address of the server, which is refused unless a rule allows it: what clients send to
    /// one another through their relayed addresses could go round in circles (RFC 8656 §21.1.7), and
    /// the server's other services trust it.
    #[must_use]
    pub fn with_own(mut self, address: IpAddr) -> Self {
        self.own.push(canonical(address));
        self
    }

    /// Whether peers at this address may be relayed to.
    #[must_use]
    pub fn allows(&self, peer: IpAddr) -> bool {
        self.decide(peer).action == Action::Allow
    }

    /// The verdict, and why.
    #[must_use]
    pub fn decide(&self, peer: IpAddr) -> Decision {
        let address = canonical(peer);
        let IpAddr::V6(v6) = address else { return self.read(address) };
        let Some((embedding, inner)) = embedded(v6) else { return self.read(address) };
        if embedding.is_forbidden() {
            let reason = Reason::Tunnel(embedding);
            return Decision { address, action: Action::Deny, reason };
        }
        let outer = self.read(address);
        if outer.action == Action::Deny { outer } else { self.read(IpAddr::V4(inner)) }
    }

    /// The verdict on an address as it stands, without a look inside.
    fn read(&self, address: IpAddr) -> Decision {
        let mut numbered = (1..).zip(&self.rules);
        let (action, reason) =
            if let Some((number, rule)) = numbered.find(|(_, rule)| rule.range.contains(address)) {
                (rule.action, Reason::Rule(number, *rule))
            } else if self.own.contains(&address) {
                (Action::Deny, Reason::Own)
            } else {
                match special_purpose(address) {
                    Some(block) if block.allowed => (Action::Allow, Reason::Special(block)),
                    Some(block) => (Action::Deny, Reason::Special(block)),
                    None => (Action::Allow, Reason::Global),
                }
            };
        Decision { address, action, reason }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.action {
            Action::Allow => "allowed",
            Action::Deny => "refused",
        };
        write!(f, "{} is {verdict}: ", self.address)?;
        match self.reason {
            Reason::Tunnel(embedding) => write!(f, "{embedding} is a tunnel (RFC 8656 §21.4)"),
            Reason::Rule(number, rule) => write!(f, "rule {number}, {rule}"),
            Reason::Own => f.write_str("it is the server's own"),
            Reason::Special(special) => special.fmt(f),
            Reason::Global => f.write_str("a global unicast address"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
        };
        write!(f, "{action} {}", self.range)
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (action, range) = text.split_once(' ').ok_or(RuleError::Text)?;
        let action = match action {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            _ => return Err(RuleError::Text),
        };
        Ok(Self { action, range: range.trim_start().parse()? })
    }
}

/// Why a text is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Neither `allow` nor `deny` and a range.
    #[error("a rule is written as allow or deny, a space and a range")]
    Text,
    /// The range is wrong.
    #[error(transparent)]
    Range(#[from] RangeError),
}
