<?php
declare(strict_types=1);

const MOST_PER_PAGE = 100;

final class Refused extends Exception
{
    public readonly array $errors;

    public function __construct(string ...$errors)
    {
        parent::__construct($errors[0]);
        $this->errors = $errors;
    }
}

function store(): PDO
{
    static $store = null;
    if ($store === null) {
        $store = new PDO('sqlite:' . $_SERVER['PANEL_STATE'], null, null, [
            PDO::ATTR_PERSISTENT => true, PDO::ATTR_TIMEOUT => 30,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
        ]);
        $store->exec('PRAGMA synchronous = OFF');
    }
    return $store;
}

function rows(string $sql, mixed ...$values): array
{
    $statement = store()->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}

function row(string $sql, mixed ...$values): ?array
{
    return rows($sql, ...$values)[0] ?? null;
}

/** Run a statement; return how many rows it changed. */
function run(string $sql, mixed ...$values): int
{
    $statement = store()->prepare($sql);
    $statement->execute($values);
    return $statement->rowCount();
}

/** Insert a row; return its id. */
function insert(string $table, array $fields): int
{
    $names = implode(', ', array_keys($fields));
    $marks = implode(', ', array_fill(0, count($fields), '?'));
    run("INSERT INTO $table ($names) VALUES ($marks)", ...array_values($fields));
    return (int) store()->lastInsertId();
}

/** Do what writes as a whole, alone: a refusal undoes it. */
function alone(callable $work): mixed
{
    store()->exec('BEGIN IMMEDIATE');
    try {
        $made = $work();
        store()->exec('COMMIT');
        return $made;
    } catch (Throwable $problem) {
        store()->exec('ROLLBACK');
        throw $problem;
    }
}

function setting(string $name): string
{
    static $all = null;
    $all ??= array_column(rows('SELECT name, value FROM setting'), 'value', 'name');
    return $all[$name];
}

function text(array $arguments, string $name): string
{
    $given = $arguments[$name] ?? '';
    return is_scalar($given) ? trim((string) $given) : '';
}

function number(array $arguments, string $name): int
{
    $given = text($arguments, $name);
    if (!ctype_digit($given)) {
        throw new Refused('Wrong parameter');
    }
    return (int) $given;
}

function money(float $amount, int $places = 2): string
{
    return number_format($amount, $places, '.', '');
}

/** Return the page that was asked for, the rows that it skips, and the sorter. */
function page_of(array $arguments, int $records, int $perpage, bool $as_string = false): array
{
    $page = text($arguments, 'page') === '' ? 0 : number($arguments, 'page');
    if (text($arguments, 'perpage') !== '') {
        $perpage = max(1, min(number($arguments, 'perpage'), MOST_PER_PAGE));
    }
    $sorter = [
        'perpage' => $perpage, 'totalpages' => (int) ceil($records / $perpage),
        'sorterrecords' => $as_string ? (string) $records : $records, 'sorterpage' => $page + 1,
    ];
    return [$page * $perpage, $sorter];
}
