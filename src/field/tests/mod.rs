//! Lines as they are: pseudo-terminals with simulated readers behind them.

mod scene;

mod doors;

mod ports;

mod trouble;
