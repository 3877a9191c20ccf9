//! The people with a part to play: what real directories have and tidy test data has not.

/// One person: a number below [`Population::len`](super::Population::len).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person(pub(crate) u32);

impl Person {
    /// The break-glass account that the ready configuration protects.
    pub const BREAK_GLASS: Self = Self(0);
    /// The administrator whom the service account acts as.
    pub const ADMIN: Self = Self(1);
    /// A guest of the Entra tenant; unknown to Google.
    pub const GUEST: Self = Self(2);
    /// A second guest.
    pub const SECOND_GUEST: Self = Self(3);
    /// A name with an apostrophe.
    pub const APOSTROPHE: Self = Self(4);
    /// A user principal name that begins with `$`.
    pub const DOLLAR: Self = Self(5);
    /// Known to everybody only by an alias.
    pub const ALIAS_ONLY: Self = Self(6);
    /// The second break-glass account.
    pub const SECOND_BREAK_GLASS: Self = Self(7);
    /// Shares the address `reception@contoso.com` with somebody else.
    pub const AMBIGUOUS: Self = Self(8);

    /// The `n`-th of the regular people, from 0.
    pub const fn regular(n: u32) -> Self {
        Self(CAST.len() as u32 + n)
    }

    /// The person's number.
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// People with a part to play, before the regular ones.
pub(super) struct Cast {
    pub(super) upn: &'static str,
    pub(super) mail: &'static str,
    pub(super) alias: Option<&'static str>,
    /// Local part of the Google address; `None`: only in the Entra tenant.
    pub(super) google: Option<&'static str>,
    pub(super) google_alias: Option<&'static str>,
    pub(super) display: &'static str,
    pub(super) guest: bool,
}

const fn member(local_upn: &'static str, google: &'static str, display: &'static str) -> Cast {
    Cast {
        upn: local_upn,
        mail: local_upn,
        alias: None,
        google: Some(google),
        google_alias: None,
        display,
        guest: false,
    }
}

const fn guest(upn: &'static str, mail: &'static str, display: &'static str) -> Cast {
    Cast {
        upn,
        mail,
        alias: None,
        google: None,
        google_alias: None,
        display,
        guest: true,
    }
}

pub(super) const CAST: [Cast; 10] = [
    member("breakglass@contoso.com", "breakglass", "Break Glass"),
    member("admin@contoso.com", "admin", "Directory Admin"),
    guest(
        "ada_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        "ada@fabrikam.com",
        "Ada (Fabrikam)",
    ),
    guest(
        "boris_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        "boris@fabrikam.com",
        "Boris (Fabrikam)",
    ),
    member(
        "miles.o'brien@contoso.com",
        "miles.o'brien",
        "Miles O'Brien",
    ),
    member("$upport@contoso.com", "support.desk", "Support Desk"),
    Cast {
        upn: "p0042@contoso.com",
        mail: "p0042@contoso.com",
        alias: Some("hedy.lamarr@contoso.com"),
        google: Some("p0042"),
        google_alias: Some("hedy.lamarr"),
        display: "Hedy Lamarr",
        guest: false,
    },
    member(
        "breakglass-cloud@contoso.com",
        "breakglass-cloud",
        "Break Glass (cloud only)",
    ),
    Cast {
        upn: "reception.north@contoso.com",
        mail: "reception@contoso.com",
        alias: None,
        google: Some("reception.north"),
        google_alias: None,
        display: "Reception North",
        guest: false,
    },
    Cast {
        upn: "reception.south@contoso.com",
        mail: "reception@contoso.com",
        alias: None,
        google: Some("reception.south"),
        google_alias: None,
        display: "Reception South",
        guest: false,
    },
];
