"""What replays are made with: the recording, and detection over it in process."""

from api.replaying.detection import DetectionResult, replay_detection
from api.replaying.recording import Body, RecordedTick, Recording

__all__ = ["Body", "DetectionResult", "RecordedTick", "Recording", "replay_detection"]
