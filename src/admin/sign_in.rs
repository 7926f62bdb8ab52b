//! Signing in and out: a token, typed once, for a session.

use maud::html;

use super::html::page;
use super::view::{Shown, View};

pub(super) fn sign_in(view: &View<'_>) -> Shown {
    if view.posted.is_none() {
        return if view.admitted { Shown::elsewhere("/") } else { form(view, false) };
    }
    let (name, token) = (view.filled("name"), view.filled("token"));
    match view.snapshot.access.ticket(name.trim(), token.trim()) {
        Ok(ticket) => {
            let cookie = view.surroundings.sessions.open(ticket, view.whose);
            Shown::elsewhere("/").setting(&cookie)
        }
        Err(_) => form(view, true).forbidden(),
    }
}

pub(super) fn sign_out(view: &View<'_>) -> Shown {
    Shown::elsewhere("/sign-in").setting(&view.surroundings.sessions.close(view.headers))
}

fn form(view: &View<'_>, wrong: bool) -> Shown {
    page(
        view,
        "Sign in",
        &html! {
            h1 { "Sign in" }
            p { "With a token of " code { "access.tokens" } ". What is shown here is for those who could have \
                 requests signed." }
            @if wrong { p.problem role="alert" { "This is not one of the tokens." } }
            form.fields method="post" action="/sign-in" {
                label for="name" { "Name" }
                input #name name="name" autocomplete="username" spellcheck="false" autocapitalize="none";
                label for="token" { "Token" }
                input #token name="token" type="password" autocomplete="current-password" required;
                button type="submit" { "Sign in" }
            }
        },
    )
}
