//! What a vendor can say instead of the truth.

mod batch;
mod body;
mod proof;
mod status;
mod transport;

use super::wire::{Asked, Said};

/// Whose connector is lied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Entra,
    Workspace,
}

impl Vendor {
    pub(super) const BOTH: [Self; 2] = [Self::Entra, Self::Workspace];

    /// Its name in the sandbox's configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Workspace => "workspace",
        }
    }
}

/// Which request is lied about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// One that ends something.
    Deed,
    /// The read-back of the watermark.
    Proof,
    /// The look-up of a person.
    Directory,
}

impl Target {
    pub(super) fn of(asked: &Asked) -> Option<Self> {
        let names = |text: &str| asked.path.contains(text) || asked.says(text);
        if names("revokeSignInSessions")
            || asked.method == "DELETE"
            || asked.path.ends_with("/signOut")
            || asked.path.ends_with("/invalidate")
        {
            Some(Self::Deed)
        } else if names("proxyAddresses") {
            Some(Self::Directory)
        } else if names("signInSessionsValidFromDateTime") {
            Some(Self::Proof)
        } else if asked.path.contains("/users") || asked.path.ends_with("/$batch") {
            Some(Self::Directory)
        } else {
            None
        }
    }
}

/// What goes over the wire.
#[derive(Debug)]
pub(super) enum Sent {
    /// These bytes, then the connection is closed.
    Whole(Vec<u8>),
    /// These bytes, then a reset.
    ThenReset(Vec<u8>),
    /// These bytes, then nothing, for ever.
    ThenSilence(Vec<u8>),
    /// The head, then the body at one byte a second.
    Drip(Vec<u8>, Vec<u8>),
    /// The head, then two gigabytes.
    Flood(Vec<u8>),
}

/// Makes the lie out of the request and the true answer.
type Tell = fn(&Asked, Said) -> Sent;

/// What can be asked of the product when the deed was done behind the lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// The answer says neither yes nor no: the watermark must settle it, without a second call.
    Doubt,
    /// The answer is a plain refusal: to believe it is right.
    Refusal,
}

/// One shape, for one connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lie {
    pub(super) name: &'static str,
    pub(super) vendor: Vendor,
    target: Target,
    behind: Behind,
    /// Whether only a time-out ends it.
    pub(super) slow: bool,
    /// Hours that every `Date` is off.
    pub(super) clock_hours: i64,
    tell: Tell,
}

impl Lie {
    const fn about_the_deed(
        vendor: Vendor,
        (name, behind, tell): (&'static str, Behind, Tell),
    ) -> Self {
        Self {
            name,
            vendor,
            target: Target::Deed,
            behind,
            slow: false,
            clock_hours: 0,
            tell,
        }
    }

    pub(super) fn target(&self) -> Target {
        self.target
    }

    pub(super) fn tell(&self, asked: &Asked, honest: Said) -> Sent {
        (self.tell)(asked, honest)
    }

    /// Whether the watermark must confirm what was done behind this lie, after one call.
    pub(super) fn leaves_doubt(&self) -> bool {
        self.vendor == Vendor::Entra && self.target == Target::Deed && self.behind == Behind::Doubt
    }

    /// How many people are revoked together: a batch needs company.
    pub(super) fn people(&self) -> usize {
        if self.name.starts_with("batch") { 3 } else { 1 }
    }

    /// Whether the deed may be carried out behind the lie: a true proof cannot be lied into a false one.
    pub(super) fn with_effect(&self) -> bool {
        self.target == Target::Deed
    }
}

/// Every shape, for every connector that it can be told to.
pub(super) fn all() -> Vec<Lie> {
    let mut lies = Vec::new();
    for vendor in Vendor::BOTH {
        let shapes = body::BOTH.iter().chain(status::BOTH).chain(transport::BOTH);
        lies.extend(shapes.map(|shape| Lie::about_the_deed(vendor, *shape)));
        let slow = transport::SLOW.iter();
        lies.extend(slow.map(|shape| Lie {
            slow: true,
            ..Lie::about_the_deed(vendor, *shape)
        }));
    }
    let entra = body::ENTRA.iter().chain(batch::ENTRA);
    lies.extend(entra.map(|shape| Lie::about_the_deed(Vendor::Entra, *shape)));
    let workspace = body::WORKSPACE.iter();
    lies.extend(workspace.map(|shape| Lie::about_the_deed(Vendor::Workspace, *shape)));
    let elsewhere = [
        (Target::Proof, 0, proof::ENTRA),
        (Target::Proof, -24, proof::A_DAY_BEHIND),
        (Target::Directory, 0, proof::DIRECTORY),
    ];
    for (target, clock_hours, shapes) in elsewhere {
        lies.extend(shapes.iter().map(|shape| Lie {
            target,
            clock_hours,
            ..Lie::about_the_deed(Vendor::Entra, *shape)
        }));
    }
    lies
}

/// The documented yes, without the deed: what nobody can see, and a judge must.
pub(super) fn unseen(vendor: Vendor) -> Lie {
    let yes: Tell = |_, honest| whole(&honest);
    Lie::about_the_deed(vendor, ("a clean yes", Behind::Doubt, yes))
}

/// An answer that is well made but for what it says.
fn whole(said: &Said) -> Sent {
    Sent::Whole(said.bytes())
}
