<?php
/**
 * Do in WordPress what a test asks for by a POST.
 */

$input = json_decode( file_get_contents( 'php://input' ), true );

if ( 'install' === $input['action'] ) {
	$database = new mysqli( null, 'root', '', null, 0, getenv( 'DATABASE_SOCKET' ) );
	$database->query( 'CREATE DATABASE wordpress CHARACTER SET utf8mb4' );
	define( 'WP_INSTALLING', true );

	/**
	 * Replaces the function that mails the address of the new blog.
	 */
	function wp_new_blog_notification() {
	}
}

require __DIR__ . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';

/**
 * Return a value of WordPress, or fail with its error.
 *
 * @param mixed $value The value.
 */
function or_fail( $value ) {
	if ( is_wp_error( $value ) || ! $value && null !== $value ) {
		wp_die( $value );
	}
	return $value;
}

$result = null;
switch ( $input['action'] ) {
	case 'install':
		wp_install( 'Blog', 'Lan', 'lan@blog.example', true, '', 'secret' );
		update_option( 'timezone_string', 'Asia/Ho_Chi_Minh' );
		update_option( 'posts_per_rss', 50 );
		$wp_rewrite->set_permalink_structure( '/%post_id%/' );
		flush_rewrite_rules();
		or_fail( activate_plugin( 'feedsvc.php' ) );
		break;
	case 'add_category':
		$parent = $input['parent'] ? get_term_by( 'slug', $input['parent'], 'category' )->term_id : 0;
		$term   = wp_insert_term(
			$input['name'],
			'category',
			array(
				'slug'   => $input['slug'],
				'parent' => $parent,
			)
		);
		$result = or_fail( $term )['term_id'];
		break;
	case 'save':
		$post = $input['post'] + array( 'edit_date' => true );
		if ( isset( $post['post_date_gmt'] ) ) {
			$post['post_date'] = get_date_from_gmt( $post['post_date_gmt'] );
		}
		if ( isset( $post['post_category'] ) ) {
			$post['post_category'] = array_map(
				function ( $slug ) {
					return get_term_by( 'slug', $slug, 'category' )->term_id;
				},
				$post['post_category']
			);
		}
		$post    = wp_slash( $post ) + array( 'post_author' => 1 );
		$post_id = or_fail( $post['ID'] ? wp_update_post( $post, true ) : wp_insert_post( $post, true ) );
		if ( isset( $input['post']['image'] ) ) {
			$image    = array(
				'post_mime_type' => 'image/jpeg',
				'post_excerpt'   => $input['post']['image']['caption'],
				'meta_input'     => array( '_wp_attachment_image_alt' => $input['post']['image']['alt'] ),
			);
			$image_id = or_fail( wp_insert_attachment( $image, 'cau.jpg', 0, true ) );
			or_fail( set_post_thumbnail( $post_id, $image_id ) );
		}
		$result  = array(
			'ID'   => $post_id,
			'guid' => html_entity_decode( get_post( $post_id )->guid ),
		);
		break;
	case 'trash':
		or_fail( wp_trash_post( $input['ID'] ) );
		break;
	case 'pass_hour':
		$events = array();
		foreach ( _get_cron_array() as $timestamp => $hooks ) {
			$events[ $timestamp - HOUR_IN_SECONDS ] = $hooks;
		}
		_set_cron_array( $events );
		spawn_cron();
		break;
	case 'check_health':
		$result = apply_filters( 'site_status_tests', array() )['direct']['feedsvc']['test']();
		break;
	case 'delete':
		or_fail( wp_delete_post( $input['ID'], true ) );
		break;
}

echo wp_json_encode( $result );
