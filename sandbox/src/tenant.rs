//! The two simulated vendors.

/// Which vendor's tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tenant {
    /// Microsoft Entra ID behind Graph.
    Microsoft,
    /// Google Workspace behind the Directory API.
    Google,
}

impl Tenant {
    pub(crate) const BOTH: [Self; 2] = [Self::Microsoft, Self::Google];

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// `microsoft` or `google`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Microsoft => "microsoft",
            Self::Google => "google",
        }
    }
}
