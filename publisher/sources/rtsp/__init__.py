"""IP cameras over RTSP 1.0 (RFC 2326): our own client for media inside the TCP connection.

FFmpeg's reader hands a picture over when the next one begins, a frame late; this one at the RTP
marker that ends it. ``camera`` decides who reads. Only ``connection`` does I/O.
"""
