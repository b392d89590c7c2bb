<?php
// Who may call: a pair, its address rule, its calls.
declare(strict_types=1);

/** Tell whether a rule admits an address: all, an address, address/bits or address/dotted-mask. */
function admits(string $rule, string $address): bool
{
    if ($rule === '' || $rule === 'all') {
        return true;
    }
    [$network, $mask] = explode('/', $rule . '/');
    $network = inet_pton($network);
    $client = inet_pton($address);
    $length = strlen($client);
    if ($network === false || strlen($network) !== $length) {
        return false;
    }
    if (str_contains($mask, '.')) {
        $mask = inet_pton($mask);
    } else {
        $bits = $mask === '' ? $length * 8 : (int) $mask;
        $mask = str_repeat("\xff", intdiv($bits, 8)) . chr(0xff00 >> $bits % 8 & 0xff);
        $mask = substr(str_pad($mask, $length, "\0"), 0, $length);
    }
    return ($network & $mask) === ($client & $mask);
}

/** Return the access of a caller. The address is that of the connection, whatever headers say. */
function check_access(array $arguments, string $call): array
{
    $access = row(
        'SELECT * FROM access WHERE api_id = ? AND enabled = 1',
        text($arguments, 'api_id')
    );
    if (!hash_equals($access['api_key'] ?? str_repeat('-', 20), text($arguments, 'api_key'))) {
        throw new Refused('Wrong API ID or API Key');
    }
    if (!admits($access['ip_rule'], $_SERVER['REMOTE_ADDR'])) {
        throw new Refused('This IP address is not allowed to use this API ID');
    }
    $name = listed_name($call);
    if ($name !== null && !in_array($name, allowed_calls($access), true)) {
        throw new Refused('Called method is not allowed for this API ID');
    }
    return $access;
}

function allowed_calls(array $access): array
{
    $calls = available_calls();
    return $access['calls'] === null
        ? $calls : array_values(array_intersect($calls, json_decode($access['calls'], true)));
}
