//! The methods of the Directory API that we call, each one request.
//!
//! <https://developers.google.com/workspace/admin/directory/reference/rest/v1>

use jiff::Timestamp;
use rescind_core::budget::Cost;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind};
use rescind_http::{Answer, Authorized, BaseUrl, Request, StatusCode, UrlBuilder, object};
use serde::de::DeserializeOwned;

use crate::classify::{Call, Refusal, Seen, classify, unrecognised};
use crate::item::Item;
use crate::scope::ScopeSet;
use crate::wire::{Asp, AspList, Kinded, MemberList, Token, TokenList, User, UserList};

/// The budget every request of the API draws on.
pub(crate) const BUDGET: &str = "calls";
/// What one request costs.
pub(crate) const ONE_CALL: Cost = Cost::of(BUDGET, 1);

/// The fields of a user that we read; without this a page of 500 is larger than any answer should be.
const USER_FIELDS: &str = "id,primaryEmail,aliases,nonEditableAliases,suspended,archived";
const USER_LIST_FIELDS: &str =
    "kind,nextPageToken,users(id,primaryEmail,aliases,nonEditableAliases,suspended,archived)";

/// The Directory API of one Workspace account.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) base: BaseUrl,
    pub(crate) customer: String,
    /// With the token of [`ScopeSet::People`].
    pub(crate) people: Authorized,
    /// With the token of [`ScopeSet::Groups`]; it is fetched only when a group is read.
    pub(crate) groups: Authorized,
}

/// The answer of a change: the vendor's clock.
pub(crate) type Done = Result<Option<Timestamp>, Refusal>;

impl Api {
    /// `key`: primary address, alias or id.
    pub(crate) async fn user(&self, cx: &Context, key: &str) -> Result<User, Refusal> {
        let url = self
            .user_url(key)?
            .query("projection", "basic")
            .query("fields", USER_FIELDS);
        let answer = self.get(cx, ScopeSet::People, Call::UsersGet, url).await?;
        parsed(Call::UsersGet, answer.status, &answer.body)
    }

    pub(crate) async fn users(
        &self,
        cx: &Context,
        most: u32,
        page: Option<&str>,
    ) -> Result<UserList, Refusal> {
        let mut url = self
            .base
            .at("/admin/directory/v1/users")
            .query("customer", &self.customer)
            .query("maxResults", &most.to_string())
            .query("fields", USER_LIST_FIELDS);
        if let Some(page) = page {
            url = url.query("pageToken", page);
        }
        let answer = self.get(cx, ScopeSet::People, Call::UsersList, url).await?;
        listed(Call::UsersList, answer.status, &answer.body)
    }

    /// The members of a group, those of nested groups included.
    pub(crate) async fn members(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&str>,
    ) -> Result<MemberList, Refusal> {
        let mut url = self
            .base
            .at("/admin/directory/v1/groups")
            .segment(group)?
            .path("/members")
            .query("includeDerivedMembership", "true")
            .query("maxResults", "200");
        if let Some(page) = page {
            url = url.query("pageToken", page);
        }
        let answer = self
            .get(cx, ScopeSet::Groups, Call::MembersList, url)
            .await?;
        listed(Call::MembersList, answer.status, &answer.body)
    }

    pub(crate) async fn grants(&self, cx: &Context, user: &str) -> Result<Vec<Token>, Refusal> {
        let url = self.user_url(user)?.path("/tokens");
        let answer = self
            .get(cx, ScopeSet::People, Call::TokensList, url)
            .await?;
        Ok(listed::<TokenList>(Call::TokensList, answer.status, &answer.body)?.items)
    }

    pub(crate) async fn app_passwords(
        &self,
        cx: &Context,
        user: &str,
    ) -> Result<Vec<Asp>, Refusal> {
        let url = self.user_url(user)?.path("/asps");
        let answer = self.get(cx, ScopeSet::People, Call::AspsList, url).await?;
        Ok(listed::<AspList>(Call::AspsList, answer.status, &answer.body)?.items)
    }

    pub(crate) async fn delete(&self, cx: &Context, user: &str, item: &Item) -> Done {
        let url = self.user_url(user)?;
        let (call, url) = match item {
            Item::Grant(client_id) => (Call::TokensDelete, url.path("/tokens").segment(client_id)?),
            Item::AppPassword(code_id) => (
                Call::AspsDelete,
                url.path("/asps").segment(&code_id.to_string())?,
            ),
        };
        let request = Request::delete(call.name(), url.build());
        self.change(cx, call, request).await
    }

    pub(crate) async fn invalidate_backup_codes(&self, cx: &Context, user: &str) -> Done {
        let url = self.user_url(user)?.path("/verificationCodes/invalidate");
        let request = Request::post(Call::InvalidateCodes.name(), url.build());
        self.change(cx, Call::InvalidateCodes, request).await
    }

    pub(crate) async fn sign_out(&self, cx: &Context, user: &str) -> Done {
        let url = self.user_url(user)?.path("/signOut");
        let request = Request::post(Call::SignOut.name(), url.build());
        self.change(cx, Call::SignOut, request).await
    }

    /// Fetches the token of a set of scopes, if there is none yet.
    pub(crate) async fn token(&self, cx: &Context, scopes: ScopeSet) -> Result<(), Error> {
        self.with(scopes).token(cx).await.map(drop)
    }

    fn user_url(&self, user: &str) -> Result<UrlBuilder, Error> {
        self.base.at("/admin/directory/v1/users").segment(user)
    }

    fn with(&self, scopes: ScopeSet) -> &Authorized {
        match scopes {
            ScopeSet::People => &self.people,
            ScopeSet::Groups => &self.groups,
        }
    }

    async fn get(
        &self,
        cx: &Context,
        scopes: ScopeSet,
        call: Call,
        url: UrlBuilder,
    ) -> Result<Answer, Refusal> {
        let request = Request::get(call.name(), url.build());
        self.send(cx, scopes, call, request).await
    }

    async fn change(&self, cx: &Context, call: Call, request: Request) -> Done {
        let answer = self.send(cx, ScopeSet::People, call, request).await?;
        Ok(answer.date)
    }

    async fn send(
        &self,
        cx: &Context,
        scopes: ScopeSet,
        call: Call,
        request: Request,
    ) -> Result<Answer, Refusal> {
        let answer = self
            .with(scopes)
            .send(cx, ONE_CALL, request)
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::Unauthenticated if error.hint().is_none() => error.with_hint(
                    "check that the key is not revoked and that `impersonate` is an active administrator",
                ),
                _ => error,
            })?;
        classify(
            call,
            Seen {
                status: answer.status,
                retry_after: answer.retry_after(),
                body: &answer.body,
            },
        )?;
        Ok(answer)
    }
}

/// Reads the JSON of a read.
pub(crate) fn parsed<T: DeserializeOwned>(
    call: Call,
    status: StatusCode,
    body: &[u8],
) -> Result<T, Refusal> {
    // serde's own message may quote a value, and the values are people.
    object(body).map_err(|_| unrecognised(call, status).into())
}

/// A list, which is empty only when it says that it is a list.
pub(crate) fn listed<T: DeserializeOwned + Kinded>(
    call: Call,
    status: StatusCode,
    body: &[u8],
) -> Result<T, Refusal> {
    let list: T = parsed(call, status, body)?;
    if list.kind() == Some(T::KIND) {
        Ok(list)
    } else {
        Err(unrecognised(call, status).into())
    }
}
