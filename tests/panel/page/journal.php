<?php
// Every request is written down before anything is done with it, and how it ended afterwards.
declare(strict_types=1);

const LONGEST_KEPT = 1000;

function append(array $line): void
{
    $file = fopen($_SERVER['PANEL_JOURNAL'], 'ab');
    flock($file, LOCK_EX);
    // The line end comes first, so that a line which was cut off spoils no other.
    fwrite($file, "\n" . json_encode($line, JSON_INVALID_UTF8_SUBSTITUTE));
    fclose($file);
}

function record_arrival(string $call, array $arguments): string
{
    $key = $arguments['api_key'] ?? '';
    unset($arguments['api_key']);
    array_walk_recursive($arguments, function (mixed &$value): void {
        if (is_string($value) && strlen($value) > LONGEST_KEPT) {
            $value = strlen($value) . ' bytes, sha256 ' . hash('sha256', $value);
        }
    });
    $headers = [];
    foreach ($_SERVER as $name => $value) {
        if (str_starts_with($name, 'HTTP_') || ($name === 'CONTENT_TYPE' && $value !== '')) {
            $headers[strtolower(strtr(preg_replace('/^HTTP_/', '', $name), '_', '-'))] = $value;
        }
    }
    $body = $_SERVER['BODY_FILE'] ?? '';
    $id = bin2hex(random_bytes(8));
    append([
        'id' => $id, 'at' => microtime(true), 'method' => $_SERVER['REQUEST_METHOD'],
        'call' => $call, 'arguments' => $arguments ?: new stdClass(),
        'key_digest' => is_string($key) ? hash('sha256', $key) : '',
        'address' => $_SERVER['REMOTE_ADDR'], 'headers' => $headers ?: new stdClass(),
        'query_digest' => hash('sha256', $_SERVER['QUERY_STRING'] ?? ''),
        'body_size' => $body === '' ? 0 : filesize($body),
        'body_digest' => $body === '' ? hash('sha256', '') : hash_file('sha256', $body),
        'files' => uploads(),
    ]);
    return $id;
}

function record_end(string $id, bool $success): void
{
    append(['id' => $id, 'success' => $success]);
}

function record_faults(string $id, array $kinds): void
{
    if ($kinds) {
        append(['id' => $id, 'faults' => $kinds]);
    }
}

/** Return name, type, size and digest of each uploaded file. */
function uploads(): array
{
    $found = [];
    foreach ($_FILES as $field => $file) {
        foreach ((array) $file['tmp_name'] as $key => $path) {
            $of = fn (string $what): mixed => ((array) $file[$what])[$key];
            $found[] = [
                'field' => $field, 'name' => $of('name'), 'type' => $of('type'),
                'size' => $of('size'), 'error' => $of('error'),
                'sha256' => $of('error') === 0 ? hash_file('sha256', $path) : '',
            ];
        }
    }
    return $found;
}
