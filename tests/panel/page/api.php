<?php
// A billing panel's admin API in small: it has a state of its own, in SQLite.
declare(strict_types=1);

require __DIR__ . '/store.php';
require __DIR__ . '/journal.php';
require __DIR__ . '/faults.php';
require __DIR__ . '/access.php';
require __DIR__ . '/promotions.php';
require __DIR__ . '/coupon_use.php';
require __DIR__ . '/billing.php';
require __DIR__ . '/other.php';

const CALLS = PROMOTION_CALLS + BILLING_CALLS + OTHER_CALLS;

/** Return all arguments: of the query, the form and a JSON body; the body wins. */
function arguments(): array
{
    if (str_starts_with(strtolower($_SERVER['CONTENT_TYPE'] ?? ''), 'application/json')) {
        $given = json_decode(file_get_contents('php://input'), true);
        return is_array($given) ? $given + $_GET : $_GET;
    }
    return $_REQUEST;
}

/** Return the name of a call as it is listed; PHP finds methods without regard to case. */
function listed_name(string $call): ?string
{
    foreach (available_calls() as $name) {
        if (strcasecmp($name, $call) === 0) {
            return $name;
        }
    }
    return null;
}

function available_calls(): array
{
    return array_values(array_diff(array_keys(CALLS), explode(',', setting('lacking'))));
}

/** Return the envelope of an answer, or null when the call has answered by itself. */
function carried_out(string $call, array $arguments, Faults $faults): ?array
{
    try {
        if ($call === '') {
            throw new Refused('Wrong parameter');
        }
        $access = check_access($arguments, $call);
        $name = listed_name($call) ?? throw new Refused('Called method is not supported');
        $faults->instead_of_answer($call);
        $faults->move_rows($name);
        $made = (CALLS[$name])($arguments, $access);
        if ($made === null) {
            return null;
        }
        $payload = $faults->shortened($made);
        $last = array_intersect_key($payload, ['info' => 1]);
        $sorter = array_intersect_key($payload, ['sorter' => 1]);
        return ['success' => true] + array_diff_key($payload, $last, $sorter)
            + ['call' => $call] + $sorter + ['server_time' => time()] + $last;
    } catch (Refused $refused) {
        return [
            'success' => false, 'call' => $call, 'server_time' => time(),
            'error' => $refused->errors,
        ];
    }
}

$arguments = arguments();
$call = is_string($arguments['call'] ?? null) ? $arguments['call'] : '';
$entry = record_arrival($call, $arguments);
$faults = new Faults($call, $arguments);
record_faults($entry, $faults->kinds());
$faults->before();
header('Content-Type: application/json; charset=UTF-8');
header_remove('X-Powered-By');
$answer = carried_out($call, $arguments, $faults);
record_end($entry, $answer['success'] ?? true);
if ($answer !== null) {
    $faults->after();
    send(json_encode($answer));
}
