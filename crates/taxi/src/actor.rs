//! On whose behalf a command is given; every event records it.

/// Who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    Rider,
    Driver,
    Operator,
    Provider,
    System,
}

impl Actor {
    pub const ALL: [Self; 5] = [Self::Rider, Self::Driver, Self::Operator, Self::Provider, Self::System];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rider => "rider",
            Self::Driver => "driver",
            Self::Operator => "operator",
            Self::Provider => "provider",
            Self::System => "system",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|actor| actor.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::Actor;

    #[test]
    fn every_actor_is_read_back_from_its_name() {
        for actor in Actor::ALL {
            assert_eq!(Actor::parse(actor.as_str()), Some(actor));
        }
        assert_eq!(Actor::parse("Rider"), None);
    }
}
