//! Asked to end, in every way that a process can be asked.

use super::{Trial, script};
use crate::support::{Dice, Signal, seed, times};

const WAYS: [&[Signal]; 5] = [
    &[Signal::Interrupt],
    &[Signal::Terminate],
    &[Signal::HangUp],
    &[Signal::Interrupt, Signal::Interrupt],
    &[Signal::Terminate, Signal::HangUp],
];

#[test]
fn nothing_is_lost_or_asked_twice_however_often_the_process_is_asked_to_end() {
    let rounds = times(10, 50);
    let mut trial = Trial::of(rounds * 40, script());
    let mut dice = Dice::new(seed(4_711));
    for number in 0..rounds {
        let run = trial.start();
        trial.progress(1 + dice.below(20));
        let [first, more @ ..] = WAYS[number % WAYS.len()] else {
            panic!("no signal");
        };
        run.signal(*first);
        for signal in more {
            run.says("may finish within");
            run.signal(*signal);
        }
        run.ends().with(130);
        trial.note();
        if more.is_empty() {
            assert_eq!(
                trial.stored(),
                trial.answered(),
                "what was in flight came to its end"
            );
        }
    }
    trial.start().ends().with(0);
    trial.judge(&[]);
}
