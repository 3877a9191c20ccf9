//! The OAuth scopes of the Directory API that this connector asks for.

/// A set of scopes that one access token is asked for.
///
/// One scope that the Workspace administrator did not authorise makes Google refuse the whole token, so what only
/// groups need is asked for in a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ScopeSet {
    /// Reading users; listing and ending app passwords, codes, grants and sessions.
    People,
    /// Reading the members of groups.
    Groups,
}

pub(crate) const USER_READONLY: &str =
    "https://www.googleapis.com/auth/admin.directory.user.readonly";
pub(crate) const USER_SECURITY: &str =
    "https://www.googleapis.com/auth/admin.directory.user.security";
pub(crate) const GROUP_MEMBER_READONLY: &str =
    "https://www.googleapis.com/auth/admin.directory.group.member.readonly";

impl ScopeSet {
    /// The scopes, as the Admin console wants them typed.
    pub(crate) const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::People => &[USER_SECURITY, USER_READONLY],
            Self::Groups => &[GROUP_MEMBER_READONLY],
        }
    }
}
