//! The words for a start without Heroku, and for the cache that is kept for one.

use tracing::Level;

use crate::credential::phrase;
use crate::supervisor::notice::{Because, FallbackNotice, Unusable};
use crate::supervisor::status::FallbackPhase;

use super::{human, info, warn};

const OTHER_TOKEN: &str = "it was encrypted with another token, so nobody can read it any more; removed, and written \
    anew after the next good answer of Heroku (a --cache-key-file outlives a token)";

pub(super) fn told(notice: &FallbackNotice) -> (Level, String) {
    let named = |names: &[String]| phrase(&names.join(", "));
    match notice {
        FallbackNotice::OnInherited { names } => warn(format!(
            "Heroku gives no answer: starting on the {} that changeover was started with (--fallback); a good answer \
             that differs is a change",
            named(names)
        )),
        FallbackNotice::OnCached { names, age } => warn(format!(
            "Heroku gives no answer: starting on the {} of {} ago, from the cache (--fallback); a good answer that \
             differs is a change",
            named(names),
            human(*age)
        )),
        FallbackNotice::Lasts { on, lasted } => {
            let what = match on {
                FallbackPhase::None => "something else",
                FallbackPhase::Inherited => "what changeover was started with",
                FallbackPhase::Cached => "what was in the cache",
            };
            warn(format!(
                "for {} the program runs on {what} (--fallback): Heroku has given no good answer since, so a change \
                 may have been missed",
                human(*lasted)
            ))
        }
        FallbackNotice::Over { lasted, because } => {
            let lasted = human(*lasted);
            info(match because {
                Because::Confirmed => {
                    format!("Heroku says the same: --fallback is over, after {lasted}")
                }
                Because::Changed => format!("--fallback is over, after {lasted}"),
            })
        }
        FallbackNotice::CacheUnusable { why } => warn(format!(
            "the cache (--cache) is of no use for this start: {}",
            unusable(why)
        )),
        FallbackNotice::CacheUnwritable { why } => warn(format!(
            "{why}. Until it can, a start without Heroku finds only what was kept before"
        )),
        FallbackNotice::CacheWritten => info("the cache is written again".to_owned()),
    }
}

fn unusable(why: &Unusable) -> String {
    match why {
        Unusable::OtherToken => OTHER_TOKEN.to_owned(),
        Unusable::TooOld { age, max } => format!(
            "it is {} old, and only {} are allowed (--cache-max-age)",
            human(*age),
            human(*max)
        ),
        Unusable::Future { ahead } => format!(
            "it is of a time that is {} ahead of this machine's clock; set that right",
            human(*ahead)
        ),
        Unusable::Late { after } => format!(
            "it could not be read within {}; see whether its disk hangs",
            human(*after)
        ),
        Unusable::Other { why } => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::all_tell;
    use super::super::{Context, render};
    use super::*;
    use crate::supervisor::notice::{GaveUp, Notice};

    const HOUR: Duration = Duration::from_secs(3600);

    fn all(lines: &[(FallbackNotice, &'static str)]) {
        let lines = lines.iter().cloned();
        let lines = lines.map(|(notice, line)| (Notice::Fallback(notice), line));
        all_tell(lines.collect());
    }

    #[test]
    fn a_start_without_heroku() {
        let names = || vec!["DATABASE_URL".to_owned()];
        let lasts = |on| FallbackNotice::Lasts { on, lasted: HOUR };
        let over = |because| FallbackNotice::Over {
            lasted: HOUR,
            because,
        };
        let on_cached = FallbackNotice::OnCached {
            names: names(),
            age: HOUR,
        };
        all(&[
            (
                FallbackNotice::OnInherited { names: names() },
                "W Heroku gives no answer: starting on the DATABASE_URL that changeover was started \
                 with (--fallback); a good answer that differs is a change",
            ),
            (
                on_cached,
                "W Heroku gives no answer: starting on the DATABASE_URL of 1 h ago, from the cache \
                 (--fallback); a good answer that differs is a change",
            ),
            (
                lasts(FallbackPhase::Cached),
                "W for 1 h the program runs on what was in the cache (--fallback): Heroku has given no \
                 good answer since, so a change may have been missed",
            ),
            (
                lasts(FallbackPhase::Inherited),
                "W for 1 h the program runs on what changeover was started with (--fallback): Heroku \
                 has given no good answer since, so a change may have been missed",
            ),
            (
                over(Because::Confirmed),
                "I Heroku says the same: --fallback is over, after 1 h",
            ),
            (over(Because::Changed), "I --fallback is over, after 1 h"),
        ]);
    }

    #[test]
    fn a_start_that_could_not_be_on_it_says_so() {
        let reason = GaveUp::NoAnswer {
            last: None,
            timeout: HOUR,
        };
        let notice = Notice::StartGaveUp { reason };
        for (fallback, end) in [
            (
                FallbackPhase::Cached,
                ", and the cache (--fallback) holds nothing that is let in. ",
            ),
            (
                FallbackPhase::Inherited,
                ", and what changeover was started with (--fallback) is not let in. ",
            ),
            (FallbackPhase::None, ". "),
        ] {
            let app = "acme".to_owned();
            let (_, line) = render(&Context { app, fallback }, &notice);
            let expected = format!("within 1 h (last: no request ended){end}Start again later");
            assert!(line.contains(&expected), "{line}");
        }
    }

    #[test]
    fn a_cache_that_is_of_no_use() {
        let (age, max) = (HOUR * 25, HOUR * 24);
        let after = Duration::from_secs(10);
        let why = "there is none yet".to_owned();
        for (why, line) in [
            (
                Unusable::OtherToken,
                "it was encrypted with another token, so nobody can read it any more; removed, and \
                 written anew after the next good answer of Heroku (a --cache-key-file outlives a \
                 token)",
            ),
            (
                Unusable::TooOld { age, max },
                "it is 1 d 1 h old, and only 1 d are allowed (--cache-max-age)",
            ),
            (
                Unusable::Future { ahead: HOUR },
                "it is of a time that is 1 h ahead of this machine's clock; set that right",
            ),
            (
                Unusable::Late { after },
                "it could not be read within 10 s; see whether its disk hangs",
            ),
            (Unusable::Other { why }, "there is none yet"),
        ] {
            let notice = FallbackNotice::CacheUnusable { why };
            let (level, told) = told(&notice);
            let expected = format!("the cache (--cache) is of no use for this start: {line}");
            assert_eq!((level, told), (Level::WARN, expected));
        }
    }

    #[test]
    fn a_cache_that_is_kept() {
        let why = "the cache /c cannot be written: the disk is full".to_owned();
        all(&[
            (
                FallbackNotice::CacheUnwritable { why },
                "W the cache /c cannot be written: the disk is full. Until it can, a start without \
                 Heroku finds only what was kept before",
            ),
            (FallbackNotice::CacheWritten, "I the cache is written again"),
        ]);
    }
}
