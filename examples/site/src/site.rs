//! A company that is one page, one API and some events that a visitor can make happen: all that is the same in each.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Serialize;
use tera::Context;
use tokio::task::JoinSet;

use crate::example::{Beside, Settings};
use crate::outbox::Outbox;
use crate::people::{People, Person};
use crate::session::{self, Doors, Visitor};
use crate::views::{Brand, Frame, Views};
use crate::{api, token};

/// How many things that take a while may be under way at once, so that no button fills the memory.
const UNDER_WAY: usize = 64;

/// Something that a visitor can make happen by a button.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Play {
    /// Its name in the address.
    pub name: &'static str,
    /// What the button says.
    pub label: &'static str,
    /// What then happens.
    pub note: &'static str,
}

/// A running company with customers of one kind.
pub struct Site<P> {
    /// How it lives beside Beckon.
    pub settings: Settings,
    /// Where it hands in events.
    pub outbox: Outbox,
    brand: &'static Brand,
    people: Mutex<People<P>>,
    views: Views,
    widget: String,
    // Ends its tasks when it is dropped.
    tasks: Mutex<JoinSet<()>>,
}

impl<P: Person> Site<P> {
    /// A company on its first day.
    ///
    /// # Errors
    /// If a template does not parse.
    pub fn new(beside: Beside, brand: &'static Brand, own: &[(&'static str, &'static str)]) -> io::Result<Self> {
        Ok(Self {
            settings: beside.settings,
            outbox: beside.outbox,
            brand,
            people: Mutex::default(),
            views: Views::new(own).map_err(io::Error::other)?,
            widget: beside.widget,
            tasks: Mutex::default(),
        })
    }

    /// All customers, for as long as the guard lives; never held across a wait.
    pub fn people(&self) -> MutexGuard<'_, People<P>> {
        // A panic elsewhere leaves nothing half-written: each change is one assignment after its checks.
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that takes a while. False where too much is under way already.
    pub fn later(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        let room = tasks.len() < UNDER_WAY;
        if room {
            tasks.spawn(task);
        }
        room
    }

    /// The front page for this visitor, filled by `fill`.
    pub fn page(&self, visitor: &Visitor, fill: impl FnOnce(&P, &mut Context)) -> Response {
        self.framed(StatusCode::OK, visitor, "front.html", fill)
    }

    fn framed(
        &self,
        status: StatusCode,
        visitor: &Visitor,
        name: &str,
        fill: impl FnOnce(&P, &mut Context),
    ) -> Response {
        let mut context = Context::new();
        {
            let people = self.people();
            let Some(person) = people.get(&visitor.0) else {
                return Redirect::to("/").into_response();
            };
            let token = match token::sign(person.id(), person.name(), &self.settings.identity_key) {
                Ok(token) => token,
                Err(error) => return token::unsigned(&error),
            };
            let frame = Frame { brand: self.brand, widget: self.widget.clone(), token, name: person.name() };
            context.insert("frame", &frame);
            fill(person, &mut context);
        }
        self.views.page(status, name, &context)
    }
}

impl<P: Person> Doors for Site<P> {
    fn cookie(&self) -> &'static str {
        self.brand.look
    }

    fn welcome(&self) -> (String, String) {
        self.people().welcome()
    }

    fn visitor(&self, session: &str) -> Option<String> {
        self.people().visitor(session).map(str::to_owned)
    }
}

/// All doors of a company: its pages, its forms, its API behind the token, and what every company has.
pub fn doors<P: Person>(
    site: Site<P>,
    pages: Router<Arc<Site<P>>>,
    forms: Router<Arc<Site<P>>>,
    calls: Router<Arc<Site<P>>>,
) -> Router {
    let site = Arc::new(site);
    let pages =
        pages.fallback(missing).layer(middleware::from_fn_with_state(Arc::clone(&site), session::welcome::<Site<P>>));
    let forms = forms.route("/leave", post(leave)).layer(middleware::from_fn(session::own_forms_only));
    Router::new()
        .merge(pages)
        .merge(forms)
        .route("/token", get(fresh_token))
        .nest("/api", api::guarded(calls, &site.settings.api_token))
        .with_state(site)
}

async fn missing<P: Person>(State(site): State<Arc<Site<P>>>, visitor: Visitor) -> Response {
    site.framed(StatusCode::NOT_FOUND, &visitor, "site.html", |_, _| ())
}

async fn leave<P: Person>(State(site): State<Arc<Site<P>>>, headers: HeaderMap) -> Response {
    (session::forget(&*site, &headers), Redirect::to("/")).into_response()
}

async fn fresh_token<P: Person>(State(site): State<Arc<Site<P>>>, visitor: Visitor) -> Response {
    let people = site.people();
    match people.get(&visitor.0) {
        Some(person) => token::document(person.id(), person.name(), &site.settings.identity_key),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
