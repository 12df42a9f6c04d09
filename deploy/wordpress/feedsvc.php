<?php
/**
 * Plugin Name:       feedsvc
 * Description:       Sends posts to a feedsvc service, which publishes them as RSS, Atom and JSON feeds.
 * Version:           1.0.1
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * License:           MIT
 * Text Domain:       feedsvc
 *
 * A change of a post marks its row in the queue, a table of this plugin, as due. WP-Cron
 * then reads the post as it is at that time and sends it, so that only the newest state
 * counts, in whatever order changes and failures happen.
 *
 * @package Feedsvc
 */

defined( 'ABSPATH' ) || exit;

// The queue is a table of this plugin's own, whose name is not from outside, and whose rows
// other processes change, so that a cache would be wrong.
// phpcs:disable WordPress.DB.DirectDatabaseQuery, WordPress.DB.PreparedSQL

/** Version of the queue's table. */
const FEEDSVC_SCHEMA = '1';

/** Seconds that one run of WP-Cron sends posts. PHP often stops it after 30. */
const FEEDSVC_RUN_SECONDS = 20;

/** Seconds that a request to the service may take. */
const FEEDSVC_TIMEOUT = 15;

/** Seconds after which a post is free again if PHP died while it sent it. */
const FEEDSVC_LOCK_SECONDS = 180;

/** Seconds until the first repetition, which double with each one, and their maximum. */
const FEEDSVC_BACKOFF     = 60;
const FEEDSVC_MAX_BACKOFF = 900;

/** Fingerprint of a post that must not be in the service. */
const FEEDSVC_REMOVED = 'removed';

/*
 * Settings
 */

/**
 * Return whether the settings are constants in wp-config.php.
 *
 * Both or neither: with a token from there, a URL from the form could send it anywhere.
 *
 * @return bool
 */
function feedsvc_has_constants() {
	return defined( 'FEEDSVC_URL' ) && defined( 'FEEDSVC_TOKEN' );
}

/**
 * Return the service's URL and token, or empty strings.
 *
 * @return array{url: string, token: string}
 */
function feedsvc_settings() {
	if ( feedsvc_has_constants() ) {
		return array(
			'url'   => untrailingslashit( FEEDSVC_URL ),
			'token' => FEEDSVC_TOKEN,
		);
	}
	return wp_parse_args(
		get_option( 'feedsvc_settings', array() ),
		array(
			'url'   => '',
			'token' => '',
		)
	);
}

/**
 * Return whether there is a URL and a token.
 *
 * @return bool
 */
function feedsvc_is_configured() {
	$settings = feedsvc_settings();
	return '' !== $settings['url'] && '' !== $settings['token'];
}

/**
 * Check the form. An empty token means the stored one.
 *
 * @param mixed $input The submitted values.
 * @return array{url: string, token: string}
 */
function feedsvc_sanitize_settings( $input ) {
	$stored = wp_parse_args(
		get_option( 'feedsvc_settings', array() ),
		array(
			'url'   => '',
			'token' => '',
		)
	);
	$input  = wp_parse_args( (array) $input, $stored );
	$url    = untrailingslashit( sanitize_url( trim( $input['url'] ), array( 'http', 'https' ) ) );
	$token  = trim( $input['token'] );
	if ( '' === $url && '' !== trim( $input['url'] ) ) {
		feedsvc_notify( __( 'The URL must start with https:// or http://.', 'feedsvc' ) );
		$url = $stored['url'];
	}
	if ( '' !== $token && ! preg_match( '/^fsv_\w+$/', $token ) ) {
		feedsvc_notify( __( 'This is no token: a token starts with fsv_.', 'feedsvc' ) );
		$token = '';
	}
	if ( '' === $token ) {
		// Or an administrator who may not see the token could send it to a server of theirs.
		$token = $url === $stored['url'] ? $stored['token'] : '';
		if ( '' !== $url && '' === $token ) {
			feedsvc_notify( __( 'A new URL needs the token again.', 'feedsvc' ) );
		}
	}
	return compact( 'url', 'token' );
}

/**
 * Show a message on the settings page.
 *
 * @param string $text The message, unescaped.
 * @param string $type One of error, warning, success, info.
 */
function feedsvc_notify( $text, $type = 'error' ) {
	// WordPress has the function in the administration only, and checks a new option twice.
	if ( function_exists( 'add_settings_error' ) && ! in_array( md5( $text ), wp_list_pluck( get_settings_errors(), 'code' ), true ) ) {
		add_settings_error( 'feedsvc_settings', md5( $text ), esc_html( $text ), $type );
	}
}

/**
 * Send failed posts at once with the new settings, and trust nothing about a new service.
 *
 * @param mixed $before The settings before.
 * @param mixed $now    The settings now.
 */
function feedsvc_settings_changed( $before, $now ) {
	global $wpdb;
	$table = feedsvc_table();
	if ( ( $before['url'] ?? '' ) !== ( $now['url'] ?? '' ) ) {
		$wpdb->query( "UPDATE $table SET fingerprint = ''" );
	}
	$wpdb->query( $wpdb->prepare( "UPDATE $table SET due = %d, attempts = 0 WHERE due IS NOT NULL", time() ) );
	feedsvc_wake();
}
add_action( 'update_option_feedsvc_settings', 'feedsvc_settings_changed', 10, 2 );

/*
 * Queue
 */

/**
 * Return the name of the queue's table.
 *
 * @return string
 */
function feedsvc_table() {
	global $wpdb;
	return $wpdb->prefix . 'feedsvc_posts';
}

/**
 * Make the table, and schedule the run of every minute.
 *
 * At each request, so that it also works in mu-plugins and for new sites of a network.
 */
function feedsvc_install() {
	if ( get_option( 'feedsvc_schema' ) !== FEEDSVC_SCHEMA ) {
		global $wpdb;
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		$table = feedsvc_table();
		dbDelta(
			"CREATE TABLE $table (
			post_id bigint(20) unsigned NOT NULL,
			entry_id varchar(32) NOT NULL DEFAULT '',
			revision int(10) unsigned NOT NULL DEFAULT 1,
			due bigint(20) DEFAULT NULL,
			attempts int(10) unsigned NOT NULL DEFAULT 0,
			locked_until bigint(20) NOT NULL DEFAULT 0,
			fingerprint varchar(32) NOT NULL DEFAULT '',
			sent_at bigint(20) DEFAULT NULL,
			message text,
			PRIMARY KEY  (post_id),
			KEY due (due)
			) {$wpdb->get_charset_collate()};"
		);
		update_option( 'feedsvc_schema', FEEDSVC_SCHEMA );
	}
	if ( ! wp_next_scheduled( 'feedsvc_send' ) ) {
		wp_schedule_event( time(), 'feedsvc_minute', 'feedsvc_send' );
	}
}
add_action( 'init', 'feedsvc_install' );

/**
 * Add the interval of one minute.
 *
 * @param array $schedules The intervals of WP-Cron.
 * @return array
 */
function feedsvc_cron_schedules( $schedules ) {
	$schedules['feedsvc_minute'] = array(
		'interval' => MINUTE_IN_SECONDS,
		'display'  => __( 'Every minute', 'feedsvc' ),
	);
	return $schedules;
}
// phpcs:ignore WordPress.WP.CronInterval -- One cheap query a minute.
add_filter( 'cron_schedules', 'feedsvc_cron_schedules' );

/**
 * Stop sending. What is queued stays for the next activation.
 */
function feedsvc_deactivate() {
	wp_unschedule_hook( 'feedsvc_send' );
}
register_deactivation_hook( __FILE__, 'feedsvc_deactivate' );

/**
 * Delete the settings and the table.
 */
function feedsvc_uninstall() {
	global $wpdb;
	$wpdb->query( 'DROP TABLE IF EXISTS ' . feedsvc_table() );
	delete_option( 'feedsvc_settings' );
	delete_option( 'feedsvc_schema' );
}
register_uninstall_hook( __FILE__, 'feedsvc_uninstall' );

/**
 * Return the row of a post, or null.
 *
 * @param int $post_id The post.
 * @return stdClass|null
 */
function feedsvc_row( $post_id ) {
	global $wpdb;
	$table = feedsvc_table();
	return $wpdb->get_row( $wpdb->prepare( "SELECT * FROM $table WHERE post_id = %d", $post_id ) );
}

/**
 * Mark a post as due now.
 *
 * @param int    $post_id  The post.
 * @param string $entry_id Its id in the service, where the post itself is going away.
 */
function feedsvc_enqueue( $post_id, $entry_id = '' ) {
	global $wpdb;
	$table = feedsvc_table();
	// One statement, as two editors may save at once. The id of an entry never changes.
	$wpdb->query(
		$wpdb->prepare(
			"INSERT INTO $table (post_id, entry_id, due) VALUES (%d, %s, %d)
			ON DUPLICATE KEY UPDATE entry_id = IF(entry_id = '', VALUES(entry_id), entry_id),
			revision = revision + 1, due = VALUES(due), attempts = 0",
			$post_id,
			$entry_id,
			time()
		)
	);
	feedsvc_wake();
}

/**
 * Mark all public posts as due, and those that the service has and should not.
 */
function feedsvc_enqueue_all() {
	global $wpdb;
	$table = feedsvc_table();
	$now   = time();
	$wpdb->query(
		$wpdb->prepare(
			"UPDATE $table SET revision = revision + 1, due = %d, attempts = 0, fingerprint = ''
			WHERE fingerprint NOT IN ('', %s)",
			$now,
			FEEDSVC_REMOVED
		)
	);
	$wpdb->query(
		$wpdb->prepare(
			"INSERT INTO $table (post_id, due) SELECT ID, %d FROM $wpdb->posts WHERE post_type = 'post'
			AND post_status IN ('publish', 'future') AND post_password = '' ORDER BY ID
			ON DUPLICATE KEY UPDATE revision = revision + 1, due = VALUES(due), attempts = 0",
			$now
		)
	);
	feedsvc_wake();
}

/**
 * Let WP-Cron send what is due, in a process of its own after this request.
 *
 * Saving a post so never waits for the service. A shutdown function that sends would be
 * faster by some milliseconds, but under mod_php the browser would wait for it.
 */
function feedsvc_wake() {
	// With an argument, as WP-Cron ignores an event like one within the next ten minutes.
	wp_schedule_single_event( time(), 'feedsvc_send', array( 'now' ) );
	// The alternative of sites whose server cannot call itself redirects a page to itself.
	if ( ! defined( 'ALTERNATE_WP_CRON' ) || ! ALTERNATE_WP_CRON ) {
		add_action( 'shutdown', 'spawn_cron', 10, 0 );
	}
}

/*
 * Changes of posts
 */

/**
 * Return whether everybody may read a post, now or at its scheduled time.
 *
 * @param WP_Post $post The post.
 * @return bool
 */
function feedsvc_is_public( $post ) {
	return 'post' === $post->post_type
		&& in_array( $post->post_status, array( 'publish', 'future' ), true )
		&& '' === $post->post_password;
}

/**
 * Queue a post that was saved in any way: editor, REST API, quick and bulk edit, trash.
 *
 * The block editor saves a post twice. The second time its fingerprint is the same.
 *
 * @param int          $post_id The post.
 * @param WP_Post      $post    The post.
 * @param bool         $update  Whether it was there before.
 * @param WP_Post|null $before  The post before.
 */
function feedsvc_post_saved( $post_id, $post, $update, $before ) {
	// An imported post is in the service without having a row here.
	$was_public = null !== $before && feedsvc_is_public( $before );
	$is_trashed = 'post' === $post->post_type && 'trash' === $post->post_status;
	// A post with a row may be a page now.
	if ( feedsvc_is_public( $post ) ) {
		feedsvc_enqueue( $post_id );
	} elseif ( $was_public || $is_trashed || feedsvc_row( $post_id ) ) {
		// The id may be made from the address, which was another one before.
		feedsvc_enqueue( $post_id, $was_public ? feedsvc_entry_id( $before ) : '' );
	}
}
add_action( 'wp_after_insert_post', 'feedsvc_post_saved', 10, 4 );

/**
 * Queue a post that was deleted without the trash.
 *
 * Not at `before_delete_post`: until the post is gone, WP-Cron would still send it.
 *
 * @param int     $post_id The post.
 * @param WP_Post $post    The post as it was.
 */
function feedsvc_post_deleted( $post_id, $post ) {
	if ( 'post' === $post->post_type && 'auto-draft' !== $post->post_status ) {
		feedsvc_enqueue( $post_id, feedsvc_entry_id( $post ) );
	}
}
add_action( 'deleted_post', 'feedsvc_post_deleted', 10, 2 );

/**
 * Queue a public post whose categories changed without it being saved.
 *
 * @param int    $post_id    The post.
 * @param array  $terms      The terms.
 * @param array  $tt_ids     Their ids.
 * @param string $taxonomy   The taxonomy.
 * @param bool   $append     Whether they were added.
 * @param array  $old_tt_ids The ids before.
 */
function feedsvc_terms_changed( $post_id, $terms, $tt_ids, $taxonomy, $append, $old_tt_ids ) {
	$post    = 'category' === $taxonomy ? get_post( $post_id ) : null;
	$changed = array_diff( $tt_ids, $old_tt_ids ) || array_diff( $old_tt_ids, $tt_ids );
	if ( $changed && $post && feedsvc_is_public( $post ) ) {
		feedsvc_enqueue( $post_id );
	}
}
add_action( 'set_object_terms', 'feedsvc_terms_changed', 10, 6 );

/**
 * Queue a public post whose featured image changed without it being saved.
 *
 * @param int|int[] $meta_id The row.
 * @param int       $post_id The post.
 * @param string    $key     The key.
 */
function feedsvc_meta_changed( $meta_id, $post_id, $key ) {
	$post = '_thumbnail_id' === $key ? get_post( $post_id ) : null;
	if ( $post && feedsvc_is_public( $post ) ) {
		feedsvc_enqueue( $post_id );
	}
}
add_action( 'added_post_meta', 'feedsvc_meta_changed', 10, 3 );
add_action( 'updated_post_meta', 'feedsvc_meta_changed', 10, 3 );
add_action( 'deleted_post_meta', 'feedsvc_meta_changed', 10, 3 );

/*
 * Posts as entries
 */

/**
 * Return a UUID of version 5 in the namespace of URLs (RFC 9562, section 5.5).
 *
 * @param string $name The name.
 * @return string 32 hexadecimal digits.
 */
function feedsvc_uuid5( $name ) {
	$namespace = hex2bin( '6ba7b8119dad11d180b400c04fd430c8' );
	$bytes     = substr( sha1( $namespace . $name, true ), 0, 16 );
	$bytes[6]  = chr( ord( $bytes[6] ) & 0x0f | 0x50 );
	$bytes[8]  = chr( ord( $bytes[8] ) & 0x3f | 0x80 );
	return bin2hex( $bytes );
}

/**
 * Return the id of a post in the service: that which `feedsvc import` makes.
 *
 * An import of this site's export, before or after, so is about the same entries.
 *
 * @param WP_Post $post The post.
 * @return string
 */
function feedsvc_entry_id( $post ) {
	global $wpdb;
	// As the export writes it, and an XML parser reads it.
	$guid = apply_filters( 'the_guid', get_the_guid( $post ), $post->ID );
	$guid = html_entity_decode( $guid, ENT_QUOTES | ENT_XML1, 'UTF-8' );
	$guid = trim( preg_replace( '/\s+/u', ' ', feedsvc_valid_chars( $guid ) ) );
	if ( '' === $guid ) {
		return feedsvc_uuid5( get_permalink( $post ) );
	}
	// Of posts with one guid, such as copies, the import gives it to the first. As there is no
	// index, do not look for others where the guid is WordPress's own, with the post's number.
	if ( ! preg_match( "/[?&]p={$post->ID}$/", $guid ) ) {
		$first = $wpdb->get_var(
			$wpdb->prepare(
				"SELECT MIN(ID) FROM $wpdb->posts WHERE guid = %s AND post_type = 'post'
				AND post_status IN ('publish', 'future', 'draft', 'pending', 'private')",
				$post->guid
			)
		);
		if ( $first && $first < $post->ID ) {
			$uuid = feedsvc_uuid5( get_permalink( $post ) );
			$guid = 'urn:uuid:' . preg_replace( '/^(.{8})(.{4})(.{4})(.{4})/', '$1-$2-$3-$4-', $uuid );
		}
	}
	return feedsvc_uuid5( $guid );
}

/**
 * Return text without the characters that the service refuses, as XML cannot have them.
 *
 * @param string $text The text.
 * @return string
 */
function feedsvc_valid_chars( $text ) {
	$pattern = '/[\x00-\x08\x0B\x0C\x0E-\x1F\x{80}-\x{84}\x{86}-\x{9F}\x{FDD0}-\x{FDEF}\x{FFFD}-\x{FFFF}]/u';
	return (string) preg_replace( $pattern, '', wp_check_invalid_utf8( $text, true ) );
}

/**
 * Return HTML as plain text of one line.
 *
 * @param string $html   The HTML.
 * @param int    $length Characters at most.
 * @return string
 */
function feedsvc_plain_text( $html, $length ) {
	// In "I <3 Hanoi" nothing is a tag, but PHP would remove all behind the sign.
	$html = preg_replace( '/<(?![a-z\/!])/i', '&lt;', $html );
	$text = html_entity_decode( wp_strip_all_tags( $html, true ), ENT_QUOTES | ENT_HTML5, 'UTF-8' );
	$text = trim( preg_replace( '/\s+/u', ' ', feedsvc_valid_chars( $text ) ) );
	return mb_strlen( $text ) > $length ? rtrim( mb_substr( $text, 0, $length - 1 ) ) . '…' : $text;
}

/**
 * Return the body of a post as its page shows it.
 *
 * @param WP_Post $post The post.
 * @return string
 */
function feedsvc_content( $post ) {
	// Blocks, shortcodes and embeds ask for the current post, which WP-Cron has not.
	// phpcs:disable WordPress.WP.GlobalVariablesOverride.Prohibited -- It is restored.
	$current         = $GLOBALS['post'] ?? null;
	$GLOBALS['post'] = $post;
	setup_postdata( $post );
	try {
		$content = apply_filters( 'the_content', $post->post_content );
	} finally {
		$GLOBALS['post'] = $current;
		if ( $current ) {
			setup_postdata( $current );
		}
	}
	// phpcs:enable WordPress.WP.GlobalVariablesOverride.Prohibited
	return feedsvc_valid_chars( $content );
}

/**
 * Return the address that a post has, or will have when it is published.
 *
 * @param WP_Post $post The post.
 * @return string
 */
function feedsvc_url( $post ) {
	$published              = clone $post;
	$published->post_status = 'publish';
	return get_permalink( $published );
}

/**
 * Return the language of the site as a language tag. That of the user does not matter.
 *
 * @return string
 */
function feedsvc_language() {
	preg_match( '/^[a-z]{2,3}(_[A-Z]{2})?/', get_locale(), $matches );
	return str_replace( '_', '-', $matches[0] ?? 'en' );
}

/**
 * Return the featured image of a post, or null.
 *
 * @param WP_Post $post The post.
 * @return array|null
 */
function feedsvc_image( $post ) {
	$id     = get_post_thumbnail_id( $post );
	$source = $id ? wp_get_attachment_image_src( $id, 'full' ) : false;
	if ( ! $source ) {
		return null;
	}
	return array_filter(
		array(
			'url'     => str_replace( ' ', '%20', $source[0] ),
			'alt'     => feedsvc_plain_text( (string) get_post_meta( $id, '_wp_attachment_image_alt', true ), 1000 ),
			'caption' => feedsvc_plain_text( (string) wp_get_attachment_caption( $id ), 2000 ),
			'type'    => (string) get_post_mime_type( $id ),
			'width'   => (int) $source[1],
			'height'  => (int) $source[2],
		)
	);
}

/**
 * Return the author of a post as a list, which is empty if there is none.
 *
 * @param WP_Post $post The post.
 * @return array
 */
function feedsvc_authors( $post ) {
	$name = feedsvc_plain_text( get_the_author_meta( 'display_name', $post->post_author ), 200 );
	$url  = sanitize_url( get_the_author_meta( 'user_url', $post->post_author ), array( 'http', 'https' ) );
	return '' === $name ? array() : array( array_filter( compact( 'name', 'url' ) ) );
}

/**
 * Return a post as an entry of the service's API.
 *
 * @param WP_Post  $post       The post.
 * @param string[] $categories Slugs that the service has.
 * @return array|null Null if a filter says that the post is not for the service.
 */
function feedsvc_entry( $post, $categories ) {
	$content = feedsvc_content( $post );
	$title   = feedsvc_plain_text( get_the_title( $post ), 500 );
	// The service requires a title, as feed readers show a list of them.
	if ( '' === $title ) {
		$title = feedsvc_plain_text( $content, 80 );
	}
	$date  = get_post_datetime( $post, 'date', 'gmt' );
	$entry = array(
		'title'          => '' === $title ? __( 'Untitled', 'feedsvc' ) : $title,
		'url'            => feedsvc_url( $post ),
		'content_html'   => $content,
		// Only one that somebody wrote: the service makes the others, for all sources alike.
		'summary'        => feedsvc_plain_text( $post->post_excerpt, 2000 ),
		'language'       => feedsvc_language(),
		'authors'        => feedsvc_authors( $post ),
		'categories'     => $categories,
		'image'          => feedsvc_image( $post ),
		'date_published' => $date ? $date->setTimezone( new DateTimeZone( 'UTC' ) )->format( 'Y-m-d\TH:i:s\Z' ) : null,
	);
	/**
	 * Filters an entry before it is sent.
	 *
	 * @param array|null $entry As docs/api.md has it; return null to leave the post out.
	 * @param WP_Post    $post  The post.
	 */
	$entry = apply_filters( 'feedsvc_entry', $entry, $post );
	return null === $entry ? null : array_filter( $entry );
}

/*
 * Service
 */

/**
 * Call the service.
 *
 * @param string     $method The method.
 * @param string     $path   The path with its leading slash.
 * @param array|null $body   The document.
 * @return array|WP_Error The response.
 */
function feedsvc_request( $method, $path, $body = null ) {
	$settings = feedsvc_settings();
	return wp_remote_request(
		$settings['url'] . $path,
		array(
			'method'      => $method,
			'timeout'     => FEEDSVC_TIMEOUT,
			// A redirect would lose the method, and give the token to another host.
			'redirection' => 0,
			'headers'     => array(
				'Authorization' => 'Bearer ' . $settings['token'],
				'Content-Type'  => 'application/json',
				'Accept'        => 'application/json',
			),
			'body'        => null === $body ? null : wp_json_encode( $body, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES ),
		)
	);
}

/**
 * Return why a response is no success, for the editor.
 *
 * @param array|WP_Error $response The response.
 * @return string
 */
function feedsvc_error_text( $response ) {
	if ( is_wp_error( $response ) ) {
		return $response->get_error_message();
	}
	$problem = json_decode( wp_remote_retrieve_body( $response ), true );
	$status  = wp_remote_retrieve_response_code( $response );
	if ( ! is_array( $problem ) || ! isset( $problem['detail'] ) ) {
		/* translators: %d: an HTTP status code such as 502 */
		return sprintf( __( 'Status %d. Is the URL that of the service?', 'feedsvc' ), $status );
	}
	$parts = array( $problem['detail'] );
	foreach ( $problem['errors'] ?? array() as $error ) {
		$parts[] = "{$error['pointer']}: {$error['detail']}";
	}
	return implode( ' ', $parts );
}

/**
 * Return the titles of the service's categories by slug.
 *
 * @return array|WP_Error
 */
function feedsvc_known_categories() {
	$response = feedsvc_request( 'GET', '/api/v1/categories' );
	if ( is_wp_error( $response ) || 200 !== wp_remote_retrieve_response_code( $response ) ) {
		return new WP_Error( 'feedsvc', feedsvc_error_text( $response ) );
	}
	$document = json_decode( wp_remote_retrieve_body( $response ), true );
	return wp_list_pluck( $document['categories'] ?? array(), 'title', 'slug' );
}

/**
 * Return the slugs of a post's categories in the service.
 *
 * @param WP_Post  $post  The post.
 * @param array    $known Titles of the service's categories by slug; new ones are added.
 * @param string[] $notes What the editor should know is added.
 * @return string[]
 */
function feedsvc_categories( $post, &$known, &$notes ) {
	$slugs = array();
	foreach ( get_the_category( $post->ID ) as $term ) {
		$slugs[] = feedsvc_category_slug( $term, $known, $notes );
	}
	return array_slice( array_values( array_unique( array_filter( $slugs ) ) ), 0, 50 );
}

/**
 * Return the slug of a category in the service, which is made where it is missing.
 *
 * @param WP_Term  $term  The category.
 * @param array    $known As of feedsvc_categories().
 * @param string[] $notes As of feedsvc_categories().
 * @return string Empty if the post has to go without this category.
 */
function feedsvc_category_slug( $term, &$known, &$notes ) {
	$title = feedsvc_plain_text( $term->name, 200 );
	// WordPress percent-encodes scripts that it has no Latin letters for.
	$slug = preg_replace( '/[^a-z0-9]+/', '-', strtolower( rawurldecode( $term->slug ) ) );
	$slug = trim( substr( trim( $slug, '-' ), 0, 64 ), '-' );
	$slug = '' === $slug ? "category-$term->term_id" : $slug;
	if ( isset( $known[ $slug ] ) ) {
		return $slug;
	}
	// An import makes slugs from titles, which may differ from WordPress's own.
	// By a regular expression: mb_strtolower is missing where PHP lacks the mbstring extension.
	$same_title = key( preg_grep( '/^' . preg_quote( $title, '/' ) . '$/iuD', $known ) );
	if ( null !== $same_title ) {
		return (string) $same_title;
	}
	// Its feed tells where a renamed category is, and whether it was retired.
	$feed = feedsvc_request( 'HEAD', "/feeds/news/$slug.json" );
	switch ( wp_remote_retrieve_response_code( $feed ) ) {
		case 301:
			$current = basename( (string) wp_parse_url( wp_remote_retrieve_header( $feed, 'location' ), PHP_URL_PATH ), '.json' );
			return isset( $known[ $current ] ) ? $current : '';
		case 410:
			/* translators: %s: the title of a category */
			$notes[] = sprintf( __( 'The service no longer has the category “%s”.', 'feedsvc' ), $title );
			return '';
	}
	return feedsvc_make_category( $term, $slug, $title, $known, $notes );
}

/**
 * Make a category in the service, and those above it.
 *
 * @param WP_Term  $term  The category.
 * @param string   $slug  Its slug in the service.
 * @param string   $title Its title.
 * @param array    $known As of feedsvc_categories().
 * @param string[] $notes As of feedsvc_categories().
 * @return string The slug, or empty.
 */
function feedsvc_make_category( $term, $slug, $title, &$known, &$notes ) {
	$parent   = $term->parent ? get_term( $term->parent, 'category' ) : null;
	$response = feedsvc_request(
		'PUT',
		"/api/v1/categories/$slug",
		array_filter(
			array(
				'title'       => $title,
				'description' => feedsvc_plain_text( $term->description, 2000 ),
				'url'         => get_term_link( $term ),
				'parent'      => $parent instanceof WP_Term ? feedsvc_category_slug( $parent, $known, $notes ) : '',
			)
		)
	);
	if ( is_wp_error( $response ) || wp_remote_retrieve_response_code( $response ) > 201 ) {
		/* translators: 1: the title of a category, 2: the reason */
		$notes[] = sprintf( __( 'Without the category “%1$s”, which the service does not have: %2$s', 'feedsvc' ), $title, feedsvc_error_text( $response ) );
		return '';
	}
	$known[ $slug ] = $title;
	return $slug;
}

/*
 * Sending
 */

/**
 * Send what is due. WP-Cron calls it.
 */
function feedsvc_send_due() {
	if ( ! feedsvc_is_configured() ) {
		return;
	}
	$end   = time() + FEEDSVC_RUN_SECONDS;
	$known = null;
	while ( true ) {
		$row = feedsvc_lock_next();
		if ( ! $row ) {
			return;
		}
		// Another process may have changed the post since this one read it, and a run may
		// read thousands.
		if ( wp_cache_supports( 'flush_runtime' ) ) {
			wp_cache_flush_runtime();
		}
		if ( ! feedsvc_send( $row, $known ) ) {
			// The next minute tries the next post. So an outage costs one request a minute.
			return;
		}
		if ( time() >= $end ) {
			feedsvc_wake();
			return;
		}
	}
}
add_action( 'feedsvc_send', 'feedsvc_send_due', 10, 0 );

/**
 * Return the row that is due first, locked, or null.
 *
 * A lock keeps the requests of two processes for one post from overtaking each other. Taking
 * it counts as a failure until success is known: a post that ends PHP does not block others.
 *
 * @return stdClass|null
 */
function feedsvc_lock_next() {
	global $wpdb;
	$table = feedsvc_table();
	do {
		$now = time();
		$row = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM $table WHERE due <= %d AND locked_until <= %d ORDER BY due, post_id LIMIT 1", $now, $now ) );
		if ( ! $row ) {
			return null;
		}
		$backoff = min( FEEDSVC_BACKOFF * 2 ** min( $row->attempts, 10 ), FEEDSVC_MAX_BACKOFF );
		$locked  = $wpdb->query(
			$wpdb->prepare(
				"UPDATE $table SET locked_until = %d, due = %d, attempts = attempts + 1, message = %s
				WHERE post_id = %d AND revision = %d AND locked_until <= %d",
				$now + FEEDSVC_LOCK_SECONDS,
				$now + $backoff,
				__( 'Sending was interrupted.', 'feedsvc' ),
				$row->post_id,
				$row->revision,
				$now
			)
		);
	} while ( 0 === $locked ); // It was saved, or locked by another process, meanwhile.
	return $locked ? $row : null;
}

/**
 * Send a post, or delete it in the service, and unlock its row.
 *
 * @param stdClass   $row   The locked row.
 * @param array|null $known The service's categories, where they were read before.
 * @return bool Whether to go on with others.
 */
function feedsvc_send( $row, &$known ) {
	$post     = get_post( $row->post_id );
	$entry_id = $row->entry_id;
	if ( '' === $entry_id && $post ) {
		$entry_id = feedsvc_entry_id( $post );
	}
	$notes = array();
	$entry = null;
	if ( $post && feedsvc_is_public( $post ) ) {
		$known = $known ?? feedsvc_known_categories();
		if ( is_wp_error( $known ) ) {
			feedsvc_failed( $row, $known->get_error_message() );
			return false;
		}
		try {
			$entry = feedsvc_entry( $post, feedsvc_categories( $post, $known, $notes ) );
		} catch ( Throwable $error ) {
			// Of another plugin's shortcode or block.
			feedsvc_failed( $row, $error->getMessage() );
			return true;
		}
	}
	$fingerprint = null === $entry ? FEEDSVC_REMOVED : md5( wp_json_encode( $entry ) );
	if ( '' === $entry_id || $fingerprint === $row->fingerprint ) {
		feedsvc_succeeded( $row, $entry_id, $fingerprint, $notes );
		return true;
	}
	$response = feedsvc_request( null === $entry ? 'DELETE' : 'PUT', "/api/v1/articles/$entry_id", $entry );
	$status   = (int) wp_remote_retrieve_response_code( $response );
	$accepted = null === $entry ? array( 204, 404, 410 ) : array( 200, 201 );
	if ( in_array( $status, $accepted, true ) ) {
		feedsvc_succeeded( $row, $entry_id, $fingerprint, $notes );
		return true;
	}
	$retry_after = (int) wp_remote_retrieve_header( $response, 'retry-after' );
	feedsvc_failed( $row, feedsvc_error_text( $response ), $retry_after );
	// Only these are about the post, and not about the service or the token.
	return in_array( $status, array( 400, 409, 413, 422 ), true );
}

/**
 * Unlock the row of a post that the service has as it is.
 *
 * @param stdClass $row         The row as it was locked.
 * @param string   $entry_id    The id in the service.
 * @param string   $fingerprint What the service has.
 * @param string[] $notes       For the editor.
 */
function feedsvc_succeeded( $row, $entry_id, $fingerprint, $notes ) {
	global $wpdb;
	$table = feedsvc_table();
	// A post that was saved meanwhile has another revision, and stays due.
	$wpdb->query(
		$wpdb->prepare(
			"UPDATE $table SET entry_id = %s, fingerprint = %s, message = %s, sent_at = %d, locked_until = 0,
			attempts = 0, due = IF(revision = %d, NULL, due) WHERE post_id = %d",
			$entry_id,
			$fingerprint,
			implode( ' ', $notes ),
			time(),
			$row->revision,
			$row->post_id
		)
	);
	if ( FEEDSVC_REMOVED === $fingerprint && ! get_post( $row->post_id ) ) {
		$wpdb->query( $wpdb->prepare( "DELETE FROM $table WHERE post_id = %d AND due IS NULL", $row->post_id ) );
	}
}

/**
 * Unlock the row of a post that could not be sent.
 *
 * @param stdClass $row         The row as it was locked.
 * @param string   $message     The reason.
 * @param int      $retry_after Seconds that the service wants to be left alone.
 */
function feedsvc_failed( $row, $message, $retry_after = 0 ) {
	global $wpdb;
	$table = feedsvc_table();
	$wpdb->query(
		$wpdb->prepare(
			"UPDATE $table SET message = %s, locked_until = 0, due = IF(revision = %d, GREATEST(due, %d), due) WHERE post_id = %d",
			$message,
			$row->revision,
			time() + min( $retry_after, HOUR_IN_SECONDS ),
			$row->post_id
		)
	);
}

/*
 * Administration
 */

/**
 * Return the state of a post for its editor.
 *
 * @param int $post_id The post.
 * @return string Plain text.
 */
function feedsvc_state( $post_id ) {
	$row = feedsvc_row( $post_id );
	if ( ! $row ) {
		return __( 'Not sent', 'feedsvc' );
	}
	if ( null !== $row->due ) {
		if ( '0' === $row->attempts || $row->locked_until > time() ) {
			return __( 'Waiting', 'feedsvc' );
		}
		/* translators: 1: a duration such as "2 minutes", 2: the reason */
		return sprintf( __( 'Failed, next attempt in %1$s: %2$s', 'feedsvc' ), human_time_diff( max( $row->due, time() ) ), $row->message );
	}
	if ( FEEDSVC_REMOVED === $row->fingerprint ) {
		return __( 'Not in the feeds', 'feedsvc' );
	}
	/* translators: %s: a date and time */
	$state = sprintf( __( 'Sent on %s', 'feedsvc' ), wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), $row->sent_at ) );
	return trim( "$state. $row->message" );
}

/**
 * Return the address that queues a post again.
 *
 * @param int $post_id The post.
 * @return string
 */
function feedsvc_resend_url( $post_id ) {
	$url = add_query_arg(
		array(
			'action' => 'feedsvc_resend',
			'post'   => $post_id,
		),
		admin_url( 'admin-post.php' )
	);
	return wp_nonce_url( $url, "feedsvc_resend_$post_id" );
}

/**
 * Add the column to the list of posts.
 *
 * @param array $columns Titles by name.
 * @return array
 */
function feedsvc_columns( $columns ) {
	$columns['feedsvc'] = __( 'Feeds', 'feedsvc' );
	return $columns;
}
add_filter( 'manage_post_posts_columns', 'feedsvc_columns' );

/**
 * Show the state of a post in the list.
 *
 * @param string $column  The column.
 * @param int    $post_id The post.
 */
function feedsvc_column( $column, $post_id ) {
	if ( 'feedsvc' === $column ) {
		echo esc_html( feedsvc_state( $post_id ) );
	}
}
add_action( 'manage_post_posts_custom_column', 'feedsvc_column', 10, 2 );

/**
 * Add "Send again" to the links below a public post.
 *
 * @param array   $actions Links by name.
 * @param WP_Post $post    The post.
 * @return array
 */
function feedsvc_row_actions( $actions, $post ) {
	if ( feedsvc_is_public( $post ) && current_user_can( 'edit_post', $post->ID ) ) {
		$actions['feedsvc'] = sprintf( '<a href="%s">%s</a>', esc_url( feedsvc_resend_url( $post->ID ) ), esc_html__( 'Send to the feeds again', 'feedsvc' ) );
	}
	return $actions;
}
add_filter( 'post_row_actions', 'feedsvc_row_actions', 10, 2 );

/**
 * Add the box with the state to the editor.
 */
function feedsvc_add_meta_box() {
	add_meta_box( 'feedsvc', __( 'Feeds', 'feedsvc' ), 'feedsvc_meta_box', 'post', 'side' );
}
add_action( 'add_meta_boxes_post', 'feedsvc_add_meta_box' );

/**
 * Show the state of a post in the editor.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_meta_box( $post ) {
	printf( '<p>%s</p>', esc_html( feedsvc_state( $post->ID ) ) );
	if ( feedsvc_is_public( $post ) ) {
		printf( '<p><a href="%s">%s</a></p>', esc_url( feedsvc_resend_url( $post->ID ) ), esc_html__( 'Send to the feeds again', 'feedsvc' ) );
	}
}

/**
 * Tell editors about posts that could not be sent, and administrators about settings.
 */
function feedsvc_admin_notices() {
	global $wpdb;
	$screen = get_current_screen();
	if ( ! $screen || ! in_array( $screen->id, array( 'dashboard', 'edit-post', 'post', 'plugins', 'settings_page_feedsvc' ), true ) || ! current_user_can( 'edit_posts' ) ) {
		return;
	}
	$table  = feedsvc_table();
	$texts  = array();
	$failed = $wpdb->get_row( $wpdb->prepare( "SELECT COUNT(*) AS number, MAX(message) AS message FROM $table WHERE due IS NOT NULL AND attempts > 0 AND locked_until <= %d", time() ) );
	if ( $failed && $failed->number > 0 ) {
		/* translators: 1: a number of posts, 2: the reason */
		$text    = _n( '%1$d post could not be sent to the feeds; this is repeated by itself. Reason: %2$s', '%1$d posts could not be sent to the feeds; this is repeated by itself. A reason: %2$s', $failed->number, 'feedsvc' );
		$texts[] = sprintf( $text, $failed->number, $failed->message );
	}
	$stuck = $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM $table WHERE due < %d", time() - 10 * MINUTE_IN_SECONDS ) );
	if ( $stuck > 0 && feedsvc_is_configured() ) {
		/* translators: %d: a number of posts */
		$texts[] = sprintf( _n( '%d post waits to be sent to the feeds for over ten minutes. Does WP-Cron run?', '%d posts wait to be sent to the feeds for over ten minutes. Does WP-Cron run?', $stuck, 'feedsvc' ), $stuck );
	}
	if ( ! feedsvc_is_configured() && current_user_can( 'manage_options' ) ) {
		$texts[] = __( 'Posts are not sent to the feeds: set the URL and the token under Settings → Feeds.', 'feedsvc' );
	}
	foreach ( $texts as $text ) {
		printf( '<div class="notice notice-warning"><p>%s</p></div>', esc_html( $text ) );
	}
}
add_action( 'admin_notices', 'feedsvc_admin_notices' );

/**
 * Add the settings page.
 */
function feedsvc_admin_menu() {
	add_options_page( __( 'Feeds', 'feedsvc' ), __( 'Feeds', 'feedsvc' ), 'manage_options', 'feedsvc', 'feedsvc_settings_page' );
}
add_action( 'admin_menu', 'feedsvc_admin_menu' );

/**
 * Declare the settings and their fields.
 */
function feedsvc_admin_init() {
	register_setting(
		'feedsvc',
		'feedsvc_settings',
		array(
			'type'              => 'array',
			'sanitize_callback' => 'feedsvc_sanitize_settings',
		)
	);
	add_settings_section( 'feedsvc', '', '__return_empty_string', 'feedsvc' );
	add_settings_field( 'feedsvc_url', __( 'URL of the service', 'feedsvc' ), 'feedsvc_url_field', 'feedsvc', 'feedsvc', array( 'label_for' => 'feedsvc_url' ) );
	add_settings_field( 'feedsvc_token', __( 'Token', 'feedsvc' ), 'feedsvc_token_field', 'feedsvc', 'feedsvc', array( 'label_for' => 'feedsvc_token' ) );
}
add_action( 'admin_init', 'feedsvc_admin_init' );

/**
 * Show the field of the URL.
 */
function feedsvc_url_field() {
	printf(
		'<input type="url" class="regular-text code" id="feedsvc_url" name="feedsvc_settings[url]" value="%s" placeholder="https://feeds.example"%s>',
		esc_attr( feedsvc_settings()['url'] ),
		disabled( feedsvc_has_constants(), true, false )
	);
}

/**
 * Show the field of the token, of which only the last characters are ever shown.
 */
function feedsvc_token_field() {
	$token = feedsvc_settings()['token'];
	printf(
		'<input type="password" class="regular-text code" id="feedsvc_token" name="feedsvc_settings[token]" value="" autocomplete="new-password" placeholder="%s"%s>',
		esc_attr( '' === $token ? 'fsv_…' : 'fsv_…' . substr( $token, -4 ) ),
		disabled( feedsvc_has_constants(), true, false )
	);
	$hint = '' === $token ? __( 'The operator of the service makes it.', 'feedsvc' ) : __( 'Leave it empty to keep the stored one.', 'feedsvc' );
	$hint = feedsvc_has_constants() ? __( 'FEEDSVC_URL and FEEDSVC_TOKEN in wp-config.php set both.', 'feedsvc' ) : $hint;
	printf( '<p class="description">%s</p>', esc_html( $hint ) );
}

/**
 * Show the settings page.
 */
function feedsvc_settings_page() {
	global $wpdb;
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	$waiting = (int) $wpdb->get_var( 'SELECT COUNT(*) FROM ' . feedsvc_table() . ' WHERE due IS NOT NULL' );
	/* translators: %d: a number of posts */
	$state = sprintf( _n( '%d post waits to be sent.', '%d posts wait to be sent.', $waiting, 'feedsvc' ), $waiting );
	?>
	<div class="wrap">
		<h1><?php echo esc_html( get_admin_page_title() ); ?></h1>
		<form action="options.php" method="post">
			<?php
			settings_fields( 'feedsvc' );
			do_settings_sections( 'feedsvc' );
			if ( ! feedsvc_has_constants() ) {
				submit_button();
			}
			?>
		</form>
		<h2><?php esc_html_e( 'Posts', 'feedsvc' ); ?></h2>
		<p><?php echo esc_html( $state ); ?></p>
		<form action="<?php echo esc_url( admin_url( 'admin-post.php' ) ); ?>" method="post">
			<?php
			wp_nonce_field( 'feedsvc_action' );
			feedsvc_action_button( 'feedsvc_test', __( 'Test the connection', 'feedsvc' ) );
			feedsvc_action_button( 'feedsvc_send_all', __( 'Send all published posts', 'feedsvc' ) );
			?>
		</form>
	</div>
	<?php
}

/**
 * Show a button that submits an action.
 *
 * @param string $action The action.
 * @param string $label  The label.
 */
function feedsvc_action_button( $action, $label ) {
	printf(
		'<button type="submit" class="button" name="action" value="%s"%s>%s</button> ',
		esc_attr( $action ),
		disabled( feedsvc_is_configured(), false, false ),
		esc_html( $label )
	);
}

/**
 * Require an administrator who has pressed a button of the settings page.
 */
function feedsvc_check_administrator() {
	check_admin_referer( 'feedsvc_action' );
	if ( ! current_user_can( 'manage_options' ) ) {
		wp_die( esc_html__( 'Sorry, you are not allowed to do this.', 'feedsvc' ), 403 );
	}
}

/**
 * Return to the settings page, which shows the messages so far.
 */
function feedsvc_return_to_settings() {
	set_transient( 'settings_errors', get_settings_errors(), 30 );
	wp_safe_redirect( admin_url( 'options-general.php?page=feedsvc&settings-updated=true' ) );
	exit;
}

/**
 * Ask the service for one article, which needs a valid token.
 */
function feedsvc_admin_test() {
	feedsvc_check_administrator();
	$response = feedsvc_request( 'GET', '/api/v1/articles?limit=1' );
	$document = json_decode( wp_remote_retrieve_body( $response ), true );
	if ( 200 === wp_remote_retrieve_response_code( $response ) && isset( $document['items'] ) ) {
		feedsvc_notify( __( 'The service answers and accepts the token.', 'feedsvc' ), 'success' );
	} else {
		/* translators: %s: the reason */
		feedsvc_notify( sprintf( __( 'The service cannot be used: %s', 'feedsvc' ), feedsvc_error_text( $response ) ) );
	}
	feedsvc_return_to_settings();
}
add_action( 'admin_post_feedsvc_test', 'feedsvc_admin_test' );

/**
 * Queue all published posts.
 */
function feedsvc_admin_send_all() {
	feedsvc_check_administrator();
	feedsvc_enqueue_all();
	feedsvc_notify( __( 'All published posts will be sent, some at a time.', 'feedsvc' ), 'success' );
	feedsvc_return_to_settings();
}
add_action( 'admin_post_feedsvc_send_all', 'feedsvc_admin_send_all' );

/**
 * Queue a post again, also where nothing has changed.
 */
function feedsvc_admin_resend() {
	global $wpdb;
	$post_id = isset( $_GET['post'] ) ? absint( $_GET['post'] ) : 0;
	check_admin_referer( "feedsvc_resend_$post_id" );
	if ( ! current_user_can( 'edit_post', $post_id ) ) {
		wp_die( esc_html__( 'Sorry, you are not allowed to do this.', 'feedsvc' ), 403 );
	}
	$wpdb->update( feedsvc_table(), array( 'fingerprint' => '' ), array( 'post_id' => $post_id ) );
	feedsvc_enqueue( $post_id );
	wp_safe_redirect( wp_get_referer() ? wp_get_referer() : admin_url( 'edit.php' ) );
	exit;
}
add_action( 'admin_post_feedsvc_resend', 'feedsvc_admin_resend' );

/**
 * Add a link to the settings to the list of plugins.
 *
 * @param array $links The links.
 * @return array
 */
function feedsvc_plugin_links( $links ) {
	$links[] = sprintf( '<a href="%s">%s</a>', esc_url( admin_url( 'options-general.php?page=feedsvc' ) ), esc_html__( 'Settings', 'feedsvc' ) );
	return $links;
}
add_filter( 'plugin_action_links_' . plugin_basename( __FILE__ ), 'feedsvc_plugin_links' );
