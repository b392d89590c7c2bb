-- The state of the panel. Lists are JSON arrays of strings; ids are never given twice.
PRAGMA journal_mode = WAL;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE access (
    api_id TEXT PRIMARY KEY, api_key TEXT NOT NULL, name TEXT NOT NULL, ip_rule TEXT NOT NULL,
    calls TEXT, enabled INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
    status TEXT NOT NULL, prefix TEXT NOT NULL,
    coupon_type TEXT NOT NULL, type TEXT NOT NULL, value REAL NOT NULL, complexity TEXT NOT NULL,
    notes TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE coupon (
    id INTEGER PRIMARY KEY AUTOINCREMENT, batch_id INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1,
    code TEXT NOT NULL COLLATE NOCASE, status TEXT NOT NULL DEFAULT 'Active',
    coupon_type TEXT NOT NULL, type TEXT NOT NULL, applyto TEXT NOT NULL DEFAULT 'price',
    cycle TEXT NOT NULL DEFAULT 'once', options TEXT NOT NULL DEFAULT '0', value REAL NOT NULL,
    cycles TEXT NOT NULL DEFAULT '[]', products TEXT NOT NULL DEFAULT '[]',
    categories TEXT NOT NULL DEFAULT '[]', upgrades TEXT NOT NULL DEFAULT 'all',
    addons TEXT NOT NULL DEFAULT '[]', domains TEXT NOT NULL DEFAULT '[]',
    forms TEXT NOT NULL DEFAULT '[]', expires TEXT NOT NULL DEFAULT '0000-00-00',
    max_usage INTEGER NOT NULL DEFAULT 0, num_usage INTEGER NOT NULL DEFAULT 0,
    clients TEXT NOT NULL DEFAULT 'all', client_id INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '', max_client_usage INTEGER NOT NULL DEFAULT 0,
    increase_in_days INTEGER NOT NULL DEFAULT 0, min_cart_amount REAL NOT NULL DEFAULT 0,
    prompt_cart_amount REAL NOT NULL DEFAULT 0
);
CREATE INDEX coupon_code ON coupon (code);
CREATE INDEX coupon_batch ON coupon (batch_id, id);
CREATE TABLE coupon_use (
    id INTEGER PRIMARY KEY, coupon_id INTEGER NOT NULL, client_id INTEGER NOT NULL,
    invoice_id INTEGER NOT NULL, api_id TEXT NOT NULL
);
CREATE INDEX coupon_use_coupon ON coupon_use (coupon_id, invoice_id);
CREATE TABLE client (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL,
    password TEXT NOT NULL, firstname TEXT NOT NULL,
    lastname TEXT NOT NULL, companyname TEXT NOT NULL DEFAULT '',
    country TEXT NOT NULL DEFAULT 'US', datecreated TEXT NOT NULL DEFAULT '2024-02-16'
);
CREATE TABLE product (
    id INTEGER PRIMARY KEY, category_id INTEGER NOT NULL, name TEXT NOT NULL
);
CREATE TABLE account (
    id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
    domain TEXT NOT NULL, billingcycle TEXT NOT NULL, total REAL NOT NULL,
    discount TEXT NOT NULL DEFAULT ''
);
CREATE TABLE invoice (
    id INTEGER PRIMARY KEY AUTOINCREMENT, client_id INTEGER NOT NULL, status TEXT NOT NULL,
    date TEXT NOT NULL, duedate TEXT NOT NULL, credit REAL NOT NULL DEFAULT 0
);
CREATE TABLE invoice_line (
    id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, type TEXT NOT NULL,
    item_id INTEGER NOT NULL, description TEXT NOT NULL, amount REAL NOT NULL,
    taxed INTEGER NOT NULL DEFAULT 0, qty INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX invoice_line_invoice ON invoice_line (invoice_id);
CREATE TABLE payment (
    id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, amount REAL NOT NULL,
    transnumber TEXT NOT NULL
);
CREATE TABLE draft (
    id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
    cycle TEXT NOT NULL, price REAL NOT NULL, discounts TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE voucher (
    coupon_id INTEGER PRIMARY KEY, aff_id INTEGER NOT NULL, client_id INTEGER NOT NULL
);
-- What the panel does wrong: for one call (in lower case) or all, so many times or always.
CREATE TABLE fault (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, call TEXT, times INTEGER,
    asked TEXT NOT NULL, options TEXT NOT NULL
);
