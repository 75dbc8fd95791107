-- A database for each service; payment's also holds the simulated provider's book.
CREATE DATABASE call;
CREATE DATABASE payment;
CREATE DATABASE drive;
CREATE DATABASE view;
