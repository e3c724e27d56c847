// A stand-in for rclcpp, which is in no package registry: only what examples/turn_to_person.cpp uses, to be called as
// Jazzy's is. Messages are kept instead of sent, so that a test can look at them.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <builtin_interfaces/msg/time.hpp>
#include <rcl_interfaces/msg/parameter_descriptor.hpp>

#define RCLCPP_ERROR_ONCE(logger, ...) (logger).tell(__VA_ARGS__)
#define RCLCPP_WARN_THROTTLE(logger, clock, milliseconds, ...) \
  static_cast<void>(milliseconds), static_cast<void>(clock), (logger).tell(__VA_ARGS__)

namespace rclcpp
{

struct InitOptions {};
enum class SignalHandlerOptions { All, SigInt, SigTerm, None };

inline void init(
  int, char const * const *, const InitOptions & = InitOptions(), SignalHandlerOptions = SignalHandlerOptions::All)
{
}
inline bool shutdown() {return true;}

struct Logger
{
  template<typename ... Arguments>
  void tell(const char *, Arguments ...) const {}
};

struct Duration
{
  double value;
  double seconds() const {return value;}
};

struct Time
{
  double value;
  Time(const builtin_interfaces::msg::Time & stamp)  // NOLINT
  : value(stamp.sec + 1e-9 * stamp.nanosec) {}
  explicit Time(double seconds)
  : value(seconds) {}
  Duration operator-(const Time & other) const {return {value - other.value};}
};

struct Clock
{
  using SharedPtr = std::shared_ptr<Clock>;
};

struct QoS
{
  QoS(std::size_t) {}  // NOLINT
  QoS & best_effort() {return *this;}
};

template<typename Message>
struct Publisher
{
  using SharedPtr = std::shared_ptr<Publisher>;
  static inline std::vector<Message> kept;
  void publish(const Message & message) {kept.push_back(message);}
  template<typename Count, typename Period>
  bool wait_for_all_acked(std::chrono::duration<Count, Period>) const {return true;}
};

template<typename Message>
struct Subscription
{
  using SharedPtr = std::shared_ptr<Subscription>;
  static inline std::function<void(const Message &)> callback;
};

struct TimerBase
{
  using SharedPtr = std::shared_ptr<TimerBase>;
  static inline std::function<void()> callback;
};

class Node
{
public:
  static inline std::map<std::string, double> overrides;

  explicit Node(const std::string &) {}
  virtual ~Node() = default;

  template<typename Value>
  Value declare_parameter(
    const std::string & name, const Value & preset,
    const rcl_interfaces::msg::ParameterDescriptor & = rcl_interfaces::msg::ParameterDescriptor(), bool = false)
  {
    return overrides.count(name) ? overrides.at(name) : preset;
  }

  template<typename Message>
  typename Publisher<Message>::SharedPtr create_publisher(const std::string &, const QoS &)
  {
    return std::make_shared<Publisher<Message>>();
  }

  template<typename Message, typename Callback>
  typename Subscription<Message>::SharedPtr create_subscription(
    const std::string &, const QoS &, Callback && callback)
  {
    Subscription<Message>::callback = callback;
    return std::make_shared<Subscription<Message>>();
  }

  template<typename Count, typename Period, typename Callback>
  TimerBase::SharedPtr create_wall_timer(std::chrono::duration<Count, Period>, Callback callback)
  {
    TimerBase::callback = callback;
    return std::make_shared<TimerBase>();
  }

  Logger get_logger() const {return {};}
  Clock::SharedPtr get_clock() {return std::make_shared<Clock>();}
  Time now() const
  {
    return Time(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  }
};

namespace executors
{

struct SingleThreadedExecutor
{
  void add_node(const std::shared_ptr<Node> &) {}
  void spin_once(std::chrono::nanoseconds = std::chrono::nanoseconds(-1)) {TimerBase::callback();}
};

}  // namespace executors

}  // namespace rclcpp
