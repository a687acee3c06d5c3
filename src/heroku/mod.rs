//! FETCHES: the Heroku Platform API. `reqwest` lives only here.
