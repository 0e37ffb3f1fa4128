<?php
return [
    'name' => 'Laravel', 'env' => 'production', 'debug' => true, 'url' => 'http://localhost', 'timezone' => 'UTC', 'locale' => 'en',
    'fallback_locale' => 'en', 'key' => getenv('SECRET'), 'cipher' => 'AES-256-CBC',
    'providers' => [
        Illuminate\Auth\AuthServiceProvider::class, Illuminate\Cache\CacheServiceProvider::class, Illuminate\Cookie\CookieServiceProvider::class,
        Illuminate\Database\DatabaseServiceProvider::class, Illuminate\Encryption\EncryptionServiceProvider::class,
        Illuminate\Filesystem\FilesystemServiceProvider::class, Illuminate\Foundation\Providers\FoundationServiceProvider::class,
        Illuminate\Hashing\HashServiceProvider::class, Illuminate\Redis\RedisServiceProvider::class, Illuminate\Session\SessionServiceProvider::class,
        Illuminate\Translation\TranslationServiceProvider::class, Illuminate\View\ViewServiceProvider::class,
    ],
    'aliases' => [],
];
