//! What the business promises, tried from outside: pair by pair, order by order, and through every interleaving.

#[cfg(test)]
mod desk;

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod call;
#[cfg(test)]
mod drive;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod payment;
#[cfg(test)]
mod view;
