-- A command line names its customer by name, in any case.
CREATE INDEX customers_name ON customers (lower(name));
