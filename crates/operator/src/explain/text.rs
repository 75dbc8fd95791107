//! An explanation as one text: the story for the rider first, then everything for the operator.

use super::steps::{Account, Cause, Moved, Step};
use super::{Explanation, Figures, speech};
use crate::language::Language;
use crate::words::{Words, kilometers, won};
use std::fmt::Write;

impl Explanation {
    pub fn text(&self, language: Language) -> String {
        let mut text = Text { language, lines: String::new() };
        text.paragraph(self.story.of(language));
        self.write_facts(&mut text);
        self.write_steps(&mut text);
        self.write_money(&mut text);
        self.write_waits(&mut text);
        self.write_letters(&mut text);
        text.head(&Words::new("View", "조회 화면"));
        text.line(&self.view.words);
        text.lines
    }

    fn write_facts(&self, text: &mut Text) {
        let number = self.call_id.to_string();
        text.fact(&Words::new("Call", "호출"), &number);
        text.fact(&Words::new("Stands", "상태"), self.standing.words().of(text.language));
        if let Some(asked) = &self.asked {
            text.fact(&Words::new("Rider", "승객"), &format!("{} ({})", asked.user_name, asked.user_id));
            text.fact(&Words::new("Asked", "호출 시각"), &asked.at.precise());
            text.fact(&Words::new("Distance", "거리"), kilometers(asked.meters).of(text.language));
            text.fact(&Words::new("Fare", "요금"), won(asked.fare).of(text.language));
            if let Some(method) = &asked.payment_method {
                text.fact(&Words::new("Paid by", "결제 수단"), method);
            }
        }
        let status = |status: Option<&'static str>| status.unwrap_or("-");
        let of = self.statuses;
        let statuses = [
            ("callStatus", status(of.call)),
            ("payStatus", status(of.payment)),
            ("driveStatus", status(of.drive)),
        ];
        let statuses = statuses.map(|(name, status)| format!("{name} {status}")).join(", ");
        text.fact(&Words::new("Statuses", "상태값"), &statuses);
        let mut traces: Vec<&str> = self.steps.iter().filter_map(|step| step.trace.as_deref()).collect();
        traces.dedup();
        for trace in traces {
            text.fact(&Words::new("Trace", "추적"), trace);
        }
        text.fact(&Words::new("As of", "기준 시각"), &self.at.precise());
    }

    fn write_steps(&self, text: &mut Text) {
        text.head(&Words::new("What happened (Korean time)", "경과 (한국 시간)"));
        for step in &self.steps {
            text.step(step);
        }
    }

    fn write_money(&self, text: &mut Text) {
        text.head(&Words::new("Money", "금액"));
        let money = &self.money;
        let amounts = [
            (Words::new("taken", "결제"), money.taken),
            (Words::new("held", "보관"), money.held),
            (Words::new("earned", "매출"), money.earned),
            (Words::new("returned", "환불"), money.returned),
        ];
        let amounts = amounts
            .map(|(name, amount)| format!("{} {}", name.of(text.language), won(amount).of(text.language)));
        if money.figures != Figures::None {
            text.plain(&amounts.join(", "));
        }
        text.line(&money.words);
    }

    fn write_waits(&self, text: &mut Text) {
        text.head(&Words::new("What it waits for now", "지금 기다리는 것"));
        if self.waits_for.is_empty() {
            text.line(&Words::new("Nothing: it is over.", "없습니다. 모두 끝났습니다."));
        }
        for wait in &self.waits_for {
            text.item(&wait.words);
        }
        if !self.effects.is_empty() {
            text.head(&Words::new("Under way outside", "외부 요청"));
            self.effects.iter().for_each(|errand| text.item(&errand.words));
        }
        if !self.timers.is_empty() {
            text.head(&Words::new("Deadlines", "기한"));
            for armed in &self.timers {
                let name = speech::service(armed.service);
                let (language, words) = (text.language, &armed.words);
                text.plain(&format!("- {}: {}", name.of(language), words.of(language)));
            }
        }
    }

    fn write_letters(&self, text: &mut Text) {
        if self.dead_letters.is_empty() {
            return;
        }
        text.head(&Words::new("Put aside", "보류된 메시지"));
        for letter in &self.dead_letters {
            let language = text.language;
            let at = letter.at.precise();
            let number = format!("{} {}", letter.service, letter.number);
            text.plain(&format!("- {number}, {at}: {}", letter.words.of(language)));
            text.plain(&format!("  {:?}", letter.reason));
            if let Some(skipped) = &letter.skipped {
                text.plain(&format!("  {}", skipped.words.of(language)));
            } else {
                text.plain(&format!("  {}", letter.retry.of(language)));
                text.plain(&format!("  {}", letter.skip.of(language)));
            }
        }
    }
}

struct Text {
    language: Language,
    lines: String,
}

impl Text {
    fn paragraph(&mut self, text: &str) {
        self.plain(text);
        self.plain("");
    }

    fn head(&mut self, words: &Words) {
        self.plain("");
        let head = words.of(self.language).to_owned();
        self.plain(&head);
    }

    fn fact(&mut self, name: &Words, fact: &str) {
        let line = format!("{}: {fact}", name.of(self.language));
        self.plain(&line);
    }

    fn line(&mut self, words: &Words) {
        let line = words.of(self.language).to_owned();
        self.plain(&line);
    }

    fn item(&mut self, words: &Words) {
        let line = format!("- {}", words.of(self.language));
        self.plain(&line);
    }

    fn plain(&mut self, line: &str) {
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    fn step(&mut self, step: &Step) {
        let language = self.language;
        let Step { number, service, shard, position, event, .. } = step;
        let mut head = format!("{number:>3}  {}  {service}/{shard}/{position}  {event}", step.at.precise());
        if let Some(moved) = &step.moved {
            write!(head, "  {}", moved_words(moved).of(language)).expect("writing to a string cannot fail");
        }
        self.plain(&head);
        self.plain(&format!("     {}", step.words.of(language)));
        let decided = speech::decided(&step.service, &step.actor);
        let why = cause_words(&step.cause);
        self.plain(&format!("     {}; {}", decided.of(language), why.of(language)));
    }
}

fn moved_words(moved: &Moved) -> Words {
    let amount = won(moved.won);
    let place = |account: Account| match account {
        Account::Rider => Words::new("rider", "승객"),
        Account::Held => Words::new("held", "보관"),
        Account::Earned => Words::new("earned", "매출"),
    };
    let (from, to) = (place(moved.from), place(moved.to));
    Words::new(
        format!("{}: {} to {}", amount.english, from.english, to.english),
        format!("{}: {} → {}", amount.korean, from.korean, to.korean),
    )
}

fn cause_words(cause: &Cause) -> Words {
    match cause {
        Cause::Request { id } => Words::new(format!("by request {id}"), format!("요청 {id}")),
        Cause::Event { step: Some(step), event: Some(event), .. } => {
            Words::new(format!("because of {event} (step {step})"), format!("{event}({step}번)에 따라"))
        }
        Cause::Event { service, shard, position, is_elsewhere: true, .. } => {
            let by = speech::service(service);
            Words::new(
                format!(
                    "because of what {} said ({service}/{shard}/{position}), of which no log is here: another's service \
                     stands in for ours, or its database was restored",
                    by.english
                ),
                format!(
                    "{} 서비스의 이벤트({service}/{shard}/{position})에 따라. 그 로그는 여기에 없습니다. 다른 시스템의 서비스가 대신하고 있거나 데이터베이스가 백업에서 복원되었습니다",
                    by.korean
                ),
            )
        }
        Cause::Event { service, shard, position, .. } => Words::new(
            format!("because of what {service}/{shard} says at {position}, which is not here"),
            format!("여기에 없는 {service}/{shard}의 {position}번 이벤트에 따라"),
        ),
        Cause::Timer { name } => {
            Words::new(format!("because the deadline {name} ran out"), format!("기한 {name} 만료에 따라"))
        }
        Cause::Effect { name, step: Some(step), .. } => Words::new(
            format!("because the payment provider answered {name} (ordered in step {step})"),
            format!("결제사의 {name} 응답에 따라({step}번에서 요청)"),
        ),
        Cause::Effect { name, step: None, .. } => Words::new(
            format!("because the payment provider answered {name}"),
            format!("결제사의 {name} 응답에 따라"),
        ),
        Cause::Other { text } => Words::new(format!("because of {text:?}"), format!("{text:?}에 따라")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;

    #[test]
    fn every_cause_has_words_also_where_it_is_not_here() {
        let event = |is_elsewhere, step: Option<usize>| Cause::Event {
            service: "payment".to_owned(),
            shard: 0,
            position: 17,
            is_elsewhere,
            event: step.map(|_| "FarePaid".to_owned()),
            step,
        };
        let effect = |step| Cause::Effect { name: "take".to_owned(), sequence: 256, step };
        for cause in [
            Cause::Request { id: "1".to_owned() },
            event(false, Some(2)),
            event(false, None),
            event(true, None),
            Cause::Timer { name: "unpaid".to_owned() },
            effect(Some(1)),
            effect(None),
            Cause::Other { text: "?".to_owned() },
        ] {
            assert_said(&cause_words(&cause));
        }
        let said = cause_words(&event(true, None)).english;
        assert_eq!(
            said,
            "because of what payment said (payment/0/17), of which no log is here: another's service stands in for ours, or \
                        its database was restored"
        );
    }
}
